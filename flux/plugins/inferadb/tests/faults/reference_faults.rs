//! Faults in what objects name.

use crate::dice::Dice;
use crate::tree::{At, Planted, Tree, is_substituted};
use crate::{Kind, Needs};

pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |name, plant| Kind { name, needs: Needs::Nothing, plant };
    vec![
        kind("a chart from a source that is not there", chart_source),
        kind("a decryption key that is not there", decryption),
        kind("a Flux object's Secret that is not there", provider_secret),
        kind("a pod's ConfigMap that is not there", config_map),
        kind("a volume's ConfigMap that is not there", volume),
        kind("a pod's Secret that is not there", secret),
        kind("a Secret that an ExternalSecret makes, misspelled", external),
        kind("a pull secret that is not there", pull_secret),
        kind("a service account that is not there", account),
        kind("a Kustomization's service account that is not there", own_account),
        kind("a health check of what is not there", health),
        kind("an issuer that is not there", issuer),
        kind("a gateway that is not there", gateway),
        kind("a priority class that is not there", priority),
        kind("a storage class that is not there", storage),
        kind("a storage class of a stateful set that is not there", claim),
        kind("a release's values that are not there", values),
        kind("a release's secret values that are not there", secret_values),
        kind("a release that waits for what is not there", release),
        kind("a variable that nothing reads", unread),
        kind("a secret variable in the open", open_secret),
    ]
}

fn in_releases(tree: &Tree, fits: impl Fn(&str) -> bool) -> Vec<At> {
    tree.lines(|document, line| document.kind == "HelmRelease" && fits(line))
}

fn in_kustomizations(tree: &Tree, fits: impl Fn(&str) -> bool) -> Vec<At> {
    tree.lines(|document, line| document.api_version.starts_with("kustomize.toolkit.fluxcd.io/") && fits(line))
}

fn chart_source(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let references = in_releases(tree, |line| line == "  chartRef:");
    let at = dice.choose(&references).below(2);
    let at = At { text: tree.text(&at).to_owned(), ..at };
    tree.misspell(&at);
    at.is("source")
}

fn decryption(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_kustomizations(tree, |line| line == "      name: sops-age"));
    tree.misspell(&at);
    at.is("secret")
}

fn provider_secret(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines(|document, line| document.kind == "Provider" && line == "  secretRef:")).below(1);
    let at = At { text: tree.text(&at).to_owned(), ..at };
    tree.misspell(&at);
    at.is("secret")
}

fn config_map(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let references = tree.lines(|document, line| document.kind == "Deployment" && line.trim() == "- configMapRef:");
    let at = dice.choose(&references).below(1);
    let at = At { text: tree.text(&at).to_owned(), ..at };
    tree.misspell(&at);
    at.is("config-map")
}

/// Puts a field into a pod's spec, and gives the place of its first line.
fn into_pod(tree: &mut Tree, dice: &mut Dice, text: &str) -> At {
    let at = dice.choose(&tree.pods());
    tree.insert(&at, text)
}

/// Puts a field into a container, behind its name.
fn into_container(tree: &mut Tree, dice: &mut Dice, text: &str) -> At {
    let names = tree.lines(|document, line| document.kind == "Deployment" && line.starts_with("        - name: "));
    let given = tree.lines(|document, line| document.kind == "Deployment" && line == "          env:");
    let is_free = |at: &At| tree.text(&at.below(1)).contains("image:") && given.iter().all(|one| one.file != at.file);
    let containers: Vec<At> = names.into_iter().filter(is_free).collect();
    let at = dice.choose(&containers);
    tree.insert(&at, text)
}

fn volume(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let pods = tree.lines(|document, line| document.kind == "Deployment" && line == "      volumes:");
    let at = dice.choose(&pods);
    tree.insert(&at, "        - name: more\n          configMap:\n            name: none").below(2).is("config-map")
}

fn secret(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "          env:\n            - name: TOKEN\n              valueFrom:\n                secretKeyRef:\n                  name: none\n                  key: token";
    into_container(tree, dice, text).below(4).is("secret")
}

fn external(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "          env:\n            - name: TOKEN\n              valueFrom:\n                secretKeyRef:\n                  name: made-elsehwere\n                  key: token";
    let at = into_container(tree, dice, text).below(4);
    // It makes another one: the name is a letter off.
    let namespaced = tree.lines_of_files(|path| path == at.file, |line| line.starts_with("  namespace: "));
    let namespace = namespaced[0].text.trim().to_owned();
    tree.append(
        &at.file.clone(),
        &format!(
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: made\n  {namespace}\nspec:\n  secretStoreRef:\n    kind: ClusterSecretStore\n    name: production\n  target:\n    name: made-elsewhere\n  data:\n    - secretKey: token\n      remoteRef:\n        key: token"
        ),
    );
    at.is("secret")
}

fn pull_secret(tree: &mut Tree, dice: &mut Dice) -> Planted {
    into_pod(tree, dice, "      imagePullSecrets:\n        - name: none").below(1).is("secret")
}

fn account(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines(|_, line| line.trim().starts_with("serviceAccountName: ")));
    tree.misspell(&at);
    at.is("service-account")
}

/// Puts a field into the spec of a Flux Kustomization.
fn into_kustomization(tree: &mut Tree, dice: &mut Dice, text: &str) -> At {
    let at = dice.choose(&in_kustomizations(tree, |line| line == "spec:"));
    tree.insert(&at, text)
}

fn own_account(tree: &mut Tree, dice: &mut Dice) -> Planted {
    into_kustomization(tree, dice, "  serviceAccountName: nobody").is("service-account")
}

fn health(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "  healthChecks:\n    - apiVersion: apps/v1\n      kind: Deployment\n      namespace: inferadb\n      name: none";
    into_kustomization(tree, dice, text).below(4).is("health-check")
}

fn append(tree: &mut Tree, dice: &mut Dice, text: &str) -> At {
    let file = tree.some_file(dice);
    tree.append(&file, text)
}

fn issuer(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: api\n  namespace: inferadb\nspec:\n  secretName: api-tls\n  dnsNames: [api.example.com]\n  issuerRef:\n    kind: ClusterIssuer\n    name: letsencypt";
    append(tree, dice, text).below(10).is("issuer")
}

fn gateway(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: api\n  namespace: inferadb\nspec:\n  parentRefs:\n    - name: none";
    append(tree, dice, text).below(7).is("gateway")
}

fn priority(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // One that has a class already gets another.
    let given = tree.lines(|document, line| document.kind == "Deployment" && line.starts_with("      priorityClassName:"));
    let free: Vec<At> = tree.pods().into_iter().filter(|pod| given.iter().all(|one| one.file != pod.file)).collect();
    if free.is_empty() || (!given.is_empty() && dice.roll(2) == 0) {
        let at = dice.choose(&given);
        tree.misspell(&at);
        return at.is("priority-class");
    }
    let at = dice.choose(&free);
    tree.insert(&at, "      priorityClassName: none").is("priority-class")
}

fn storage(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n  namespace: inferadb\nspec:\n  accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 1Gi\n  storageClassName: none";
    append(tree, dice, text).below(10).is("storage-class")
}

fn claim(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: store\n  namespace: inferadb\nspec:\n  serviceName: store\n  selector:\n    matchLabels: {app: store}\n  template:\n    metadata:\n      labels: {app: store}\n    spec:\n      containers:\n        - name: store\n          image: example.com/store:1.0.0\n  volumeClaimTemplates:\n    - metadata:\n        name: data\n      spec:\n        storageClassName: none\n        accessModes: [ReadWriteOnce]\n        resources:\n          requests:\n            storage: 1Gi";
    append(tree, dice, text).below(20).is("storage-class")
}

fn values(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_releases(tree, |line| line == "spec:"));
    tree.insert(&at, "  valuesFrom:\n    - kind: ConfigMap\n      name: none").below(2).is("config-map")
}

fn secret_values(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_releases(tree, |line| line == "spec:"));
    tree.insert(&at, "  valuesFrom:\n    - kind: Secret\n      name: none").below(2).is("secret")
}

fn release(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_releases(tree, |line| line == "spec:"));
    tree.insert(&at, "  dependsOn:\n    - name: none\n      namespace: flux-system").below(1).is("depends-on")
}

fn unread(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Of a ConfigMap of its own: the clusters' settings waive the rule.
    let at = dice.choose(&in_kustomizations(tree, |line| line == "    substituteFrom:"));
    tree.insert(&at, "      - kind: ConfigMap\n        name: more-settings");
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more-settings\n  namespace: flux-system\ndata:\n  NOBODY: reads this";
    tree.append(&at.file, text).below(6).is("variable-unused")
}

fn open_secret(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Only `configs` takes variables from a Secret, which no file of the tree has.
    let values = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: cluster-secrets\n  namespace: flux-system\nstringData:\n  TOKEN: s3cret-value\n";
    tree.add_file("flux/more-values.yaml", values);
    let is_config = |path: &str| path.contains("/configs/") || path.starts_with("flux/notifications/");
    let documents: Vec<_> =
        tree.documents().into_iter().filter(|one| is_config(&one.file) && is_substituted(&one.file)).collect();
    let document = dice.choose(&documents);
    let at = tree.lines_of(&document, |line| line == "metadata:")[0].clone();
    tree.insert(&at, "  annotations:\n    example.com/token: ${TOKEN}")
        .below(1)
        .is("variable-secret")
        .with("--vars=flux/more-values.yaml")
}
