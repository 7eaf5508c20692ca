//! `validate`: a fault gives its finding, at its file and line, and no fault gives none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use serde_json::{Value, json};
use support::Repo;

const CHARTS: &str = "--chart-location=charts/{{.Chart}}-{{.Version}}";
const SCHEMAS: &str = "--schema-location=schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";

const ROOT: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: infra
  namespace: flux-system
spec:
  path: ./infra
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  path: ./apps
  prune: true
  dependsOn:
    - name: infra
  sourceRef:
    kind: GitRepository
    name: flux-system
  healthChecks:
    - apiVersion: apps/v1
      kind: Deployment
      namespace: web
      name: web
  postBuild:
    substituteFrom:
      - kind: ConfigMap
        name: settings
      - kind: Secret
        name: hidden
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: flux-system
data:
  REPLICAS: \"2\"
  HOST: example.com
---
apiVersion: v1
kind: Secret
metadata:
  name: hidden
  namespace: flux-system
stringData:
  TOKEN: s3cret
";

const INFRA: &str = "apiVersion: v1
kind: Namespace
metadata:
  name: web
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: charts
  namespace: flux-system
spec:
  url: https://example.com/charts
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: proxy
  namespace: web
spec:
  chart:
    spec:
      chart: proxy
      version: 1.2.3
      sourceRef:
        kind: HelmRepository
        name: charts
        namespace: flux-system
  values:
    replicas: 2
    service:
      port: 80
  valuesFrom:
    - kind: ConfigMap
      name: proxy-values
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: proxy-values
  namespace: web
data:
  values.yaml: \"{}\"
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: acme
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: public
  namespace: web
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata:
  name: high
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: fast
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny
  namespace: web
spec:
  podSelector: {}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: chart
  namespace: flux-system
spec:
  ref:
    tag: 1.2.3
  layerSelector:
    mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip
";

const APPS: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: web
spec:
  replicas: ${REPLICAS}
  template:
    spec:
      serviceAccountName: web
      priorityClassName: high
      imagePullSecrets:
        - name: registry
      containers:
        - name: web
          image: example.com/web:1.0.0
          envFrom:
            - secretRef:
                name: generated
            - configMapRef:
                name: optional
                optional: true
          env:
            - name: HOST
              value: ${HOST}
            - name: PASSWORD
              valueFrom:
                secretKeyRef:
                  name: pulled
                  key: password
      volumes:
        - name: tls
          secret:
            secretName: web-tls
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
  namespace: web
---
apiVersion: v1
kind: Secret
metadata:
  name: registry
  namespace: web
stringData:
  token: ${TOKEN}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: pulled
  namespace: web
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: web
  namespace: web
spec:
  secretName: web-tls
  issuerRef:
    kind: ClusterIssuer
    name: acme
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
  namespace: web
spec:
  parentRefs:
    - name: public
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: web
spec:
  storageClassName: fast
";

const KUSTOMIZATION: &str = "resources:
  - all.yaml
secretGenerator:
  - name: generated
    namespace: web
    literals:
      - a=b
    options:
      disableNameSuffixHash: true
";

const SCHEMA: &str = r#"{"type": "object", "properties": {"apiVersion": {}, "kind": {}, "metadata": {}, "spec": {"type": "object",
    "required": ["template"], "additionalProperties": false, "properties": {"replicas": {"type": "integer"}, "template": {}}}}}"#;

fn repo() -> Repo {
    Repo::new(&[
        ("clusters/one/all.yaml", ROOT),
        ("clusters/two/all.yaml", ROOT),
        ("infra/all.yaml", INFRA),
        ("apps/all.yaml", APPS),
        ("apps/kustomization.yaml", KUSTOMIZATION),
        ("schemas/apps/deployment_v1.json", SCHEMA),
        ("charts/proxy-1.2.3/Chart.yaml", "name: proxy\nversion: 1.2.3\n"),
        ("charts/proxy-1.2.3/values.yaml", "replicas: 1\nservice:\n  port: 8080\n"),
        ("charts/proxy-1.2.3/values.schema.json", r#"{"properties": {"replicas": {"type": "integer"}}}"#),
    ])
}

fn line_of(text: &str, part: &str) -> usize {
    let at = text.find(part).unwrap_or_else(|| panic!("no {part}"));
    text[..at].matches('\n').count() + 1
}

#[test]
fn no_fault_gives_no_finding() {
    let ran = repo().run(&["validate", SCHEMAS, CHARTS]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(
        ran.err.starts_with("44 objects looked at: 0 findings, 0 waived; 42 objects of kinds without a schema: "),
        "{}",
        ran.err
    );
}

#[test]
fn each_fault_is_found_at_its_line() {
    // The file, what is put in place of what, and the rule, found at the line of a part of the new text.
    let (all, apps, infra, file) = ("clusters/one/all.yaml", "apps/all.yaml", "infra/all.yaml", "apps/kustomization.yaml");
    for (path, from, to, rule, at) in [
        (
            infra,
            "    - kind: ConfigMap\n      name: proxy-values",
            "    - kind: Secret\n      name: proxy-values",
            "secret",
            "name: proxy-values",
        ),
        (
            apps,
            "      containers:",
            "      initContainers:\n        - name: init\n          image: busybox\n      containers:",
            "image",
            "image: busybox",
        ),
        (apps, "    kind: ClusterIssuer\n    name: acme", "    kind: Issuer\n    name: acme", "issuer", "name: acme"),
        (all, "    - name: infra", "    - name: infar", "depends-on", "- name: infar"),
        (all, "  path: ./infra\n", "  path: ./infra\n  dependsOn: [{name: apps}]\n", "cycle", "dependsOn:\n    - name: infra"),
        (all, "  path: ./infra\n", "  path: ./infar\n", "build", "path: ./infar"),
        (all, "      name: web\n", "      name: wbe\n", "health-check", "name: wbe"),
        (all, "  HOST: example.com\n", "  HOST: example.com\n  HSOT: example.com\n", "variable-unused", "HSOT"),
        (
            all,
            "spec:\n  path: ./infra",
            "spec:\n  serviceAccountName: nobody\n  path: ./infra",
            "service-account",
            "serviceAccountName: nobody",
        ),
        (
            all,
            "  path: ./infra\n",
            "  path: ./infra\n  decryption:\n    provider: sops\n    secretRef:\n      name: age\n",
            "secret",
            "name: age",
        ),
        (infra, "        name: charts\n", "        name: chrats\n", "source", "name: chrats"),
        (infra, "      name: proxy-values", "      name: proxy-valeus", "config-map", "name: proxy-valeus"),
        (infra, "spec:\n  chart:", "spec:\n  dependsOn:\n    - name: none\n  chart:", "depends-on", "- name: none"),
        (apps, "      serviceAccountName: web", "      serviceAccountName: wbe", "service-account", "serviceAccountName: wbe"),
        (apps, "      priorityClassName: high", "      priorityClassName: hihg", "priority-class", "priorityClassName: hihg"),
        (apps, "        - name: registry", "        - name: rigestry", "secret", "- name: rigestry"),
        (apps, "                name: generated", "                name: genreated", "secret", "name: genreated"),
        (apps, "                  name: pulled", "                  name: puled", "secret", "name: puled"),
        (apps, "            secretName: web-tls", "            secretName: web-tsl", "secret", "secretName: web-tsl"),
        (apps, "                optional: true\n", "", "config-map", "name: optional"),
        (apps, "    name: acme", "    name: amce", "issuer", "name: amce"),
        (apps, "    - name: public", "    - name: pubilc", "gateway", "- name: pubilc"),
        (apps, "  storageClassName: fast", "  storageClassName: fsat", "storage-class", "storageClassName: fsat"),
        (
            apps,
            "              value: ${HOST}",
            "              value: ${HOST}-${TOKEN}",
            "variable-secret",
            "value: ${HOST}-${TOKEN}",
        ),
        (apps, "  replicas: ${REPLICAS}", "  replicas: x${REPLICAS}", "schema", "replicas: x"),
        (apps, "  replicas: ${REPLICAS}", "  replicas: ${REPLICAS}\n  repilcas: 1", "schema", "spec:"),
        (
            apps,
            "kind: ServiceAccount\nmetadata:\n",
            "kind: ServiceAccount\nmetadata:\n  annotations:\n    waive.inferadb.com/secret: why\n",
            "waiver",
            "waive.inferadb.com",
        ),
        (
            apps,
            "kind: ServiceAccount\nmetadata:\n",
            "kind: ServiceAccount\nmetadata:\n  annotations:\n    waive.inferadb.com/nonsense: why\n",
            "waiver",
            "waive.inferadb.com",
        ),
        (apps, "example.com/web:1.0.0", "example.com/web", "image", "image: example.com/web\n"),
        (apps, "example.com/web:1.0.0", "example.com/web:latest", "image", "image: example.com/web:latest"),
        (infra, "      version: 1.2.3", "      version: 1.x", "chart", "version: 1.x"),
        (infra, "      version: 1.2.3\n", "", "chart", "    spec:\n      chart: proxy"),
        (infra, "    tag: 1.2.3", "    semver: 1.x", "chart", "  ref:"),
        (
            infra,
            "helm.toolkit.fluxcd.io/v2",
            "helm.toolkit.fluxcd.io/v2beta2",
            "deprecated-api",
            "apiVersion: helm.toolkit.fluxcd.io/v2beta2",
        ),
        (infra, "  podSelector: {}", "  podSelector: {matchLabels: {a: b}}", "default-deny", "name: web"),
        (infra, "  podSelector: {}", "  podSelector: {}\n  policyTypes: [Egress]", "default-deny", "name: web"),
        (infra, "  podSelector: {}", "  podSelector: {}\n  ingress: [{}]", "default-deny", "name: web"),
        (
            apps,
            "apiVersion: v1\nkind: PersistentVolumeClaim",
            "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: high\n---\napiVersion: v1\nkind: PersistentVolumeClaim",
            "producer",
            "name: high\n---",
        ),
        (
            apps,
            "apiVersion: v1\nkind: PersistentVolumeClaim",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n  namespace: wbe\n---\napiVersion: v1\nkind: PersistentVolumeClaim",
            "namespace",
            "namespace: wbe",
        ),
        (infra, "spec:\n  chart:", "spec:\n  targetNamespace: wbe\n  chart:", "namespace", "targetNamespace: wbe"),
        (infra, "spec:\n  chart:", "spec:\n  storageNamespace: wbe\n  chart:", "namespace", "storageNamespace: wbe"),
        (file, "  - name: generated", "  - name: genreated", "secret", ""),
    ] {
        let repo = repo();
        let before = std::fs::read_to_string(repo.path().join(path)).unwrap();
        assert!(before.contains(from), "{from}");
        let after = before.replacen(from, to, 1);
        repo.write(path, &after);
        let ran = repo.run(&["validate", SCHEMAS, CHARTS, "--output", "json"]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        let found: Vec<(&str, &str, u64)> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["rule"].as_str().unwrap(), one["file"].as_str().unwrap(), one["line"].as_u64().unwrap()))
            .collect();
        // The reference shows in another file than the name that was changed.
        let expected =
            if path == file { (rule, apps, line_of(APPS, "name: generated")) } else { (rule, path, line_of(&after, at)) };
        let expected = (expected.0, expected.1, expected.2 as u64);
        assert_eq!(found, [expected], "{to:?}");
        assert_eq!(ran.code, 1);
    }
}

#[test]
fn a_waiver_with_a_reason_waives_and_is_listed() {
    let repo = repo();
    let waived = APPS.replacen(
        "  name: web\n",
        "  name: web\n  annotations:\n    waive.inferadb.com/priority-class: the chart makes it\n",
        1,
    );
    repo.write("apps/all.yaml", &waived.replace("priorityClassName: high", "priorityClassName: theirs"));
    let ran = repo.run(&["validate", SCHEMAS, CHARTS]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let ran = repo.run(&["validate", SCHEMAS, CHARTS, "--waived"]);
    assert_eq!(ran.out, "apps/all.yaml:13: priority-class: Deployment.apps web/web: waived: the chart makes it [one, two]\n");
    let sarif: Value = serde_json::from_str(&repo.run(&["validate", SCHEMAS, CHARTS, "--output", "sarif"]).out).unwrap();
    assert_eq!(
        sarif["runs"][0]["results"][0]["suppressions"],
        json!([{"kind": "inSource", "justification": "the chart makes it"}])
    );
    // Without a reason it waives nothing, and is a finding itself.
    repo.write(
        "apps/all.yaml",
        &waived.replace("priorityClassName: high", "priorityClassName: theirs").replace(": the chart makes it", ": \"\""),
    );
    let ran = repo.run(&["validate", SCHEMAS, CHARTS]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("apps/all.yaml:13: priority-class:") && ran.out.contains("the waiver of `priority-class` has no reason"),
        "{}",
        ran.out
    );
}

#[test]
fn findings_are_written_for_people_programs_and_github() {
    let repo = repo();
    repo.write("apps/all.yaml", &APPS.replace("priorityClassName: high", "priorityClassName: hihg"));
    let message = "names PriorityClass `hihg`, which nothing in this cluster produces: correct the name, or give it with `--vars` where it lives only in the cluster";
    assert_eq!(
        repo.run(&["validate", SCHEMAS, CHARTS]).out,
        format!("apps/all.yaml:11: priority-class: Deployment.apps web/web: {message} [one, two]\n")
    );
    assert_eq!(
        repo.run(&["validate", SCHEMAS, CHARTS, "--output", "github"]).out,
        format!("::error file=apps/all.yaml,line=11,title=priority-class::Deployment.apps web/web: {message} [one, two]\n")
    );
    let sarif: Value = serde_json::from_str(&repo.run(&["validate", SCHEMAS, CHARTS, "--output", "sarif"]).out).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "priority-class");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 11);
}

#[test]
fn what_lives_only_in_the_cluster_is_given() {
    let repo = repo();
    repo.write("apps/all.yaml", &APPS.replace("name: pulled\n                  key", "name: theirs\n                  key"));
    assert_eq!(repo.run(&["validate", SCHEMAS, CHARTS]).code, 1);
    repo.write("theirs.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: theirs, namespace: web}\n");
    let ran = repo.run(&["validate", SCHEMAS, CHARTS, "--vars", "theirs.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
}

#[test]
fn a_kind_without_a_schema_is_a_finding_where_it_must_have_one() {
    let ran = repo().run(&["validate", SCHEMAS, CHARTS, "--require-schemas"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("apps/all.yaml:36: schema-missing: ServiceAccount web/web: there is no schema of v1 ServiceAccount"),
        "{}",
        ran.out
    );
}

#[test]
fn a_schema_that_is_none_is_said() {
    let repo = repo();
    repo.write("schemas/apps/deployment_v1.json", "{\"type\": 5}");
    let ran = repo.run(&["validate", SCHEMAS, CHARTS]);
    assert!(
        ran.out.contains("schema-missing: Deployment.apps web/web: `schemas/apps/deployment_v1.json` is no JSON schema"),
        "{}",
        ran.out
    );
}

#[test]
fn names_do_nothing_to_who_reads_them() {
    let repo = repo();
    let evil = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"x\\n::error file=evil::pwned\\e[31m\", namespace: web}\nspec: {priorityClassName: none}\n";
    repo.write("apps/evil %1.yaml", evil);
    repo.write("apps/kustomization.yaml", &KUSTOMIZATION.replace("all.yaml\n", "all.yaml\n  - evil %1.yaml\n"));
    let text = repo.run(&["validate", SCHEMAS, CHARTS]).out;
    assert!(
        text.starts_with(
            "apps/evil %1.yaml:4: priority-class: Pod web/x\\n::error file=evil::pwned\\u{1b}[31m: names PriorityClass"
        ),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    let github = repo.run(&["validate", SCHEMAS, CHARTS, "--output", "github"]).out;
    assert!(
        github.starts_with(
            "::error file=apps/evil %251.yaml,line=4,title=priority-class::Pod web/x%0A::error file=evil::pwned\\u{1b}[31m: names"
        ),
        "{github}"
    );
    assert_eq!(github.lines().count(), 1, "{github}");
    let sarif: Value = serde_json::from_str(&repo.run(&["validate", SCHEMAS, CHARTS, "--output", "sarif"]).out).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(location["uri"], "apps/evil%20%251.yaml");
}

#[test]
fn two_kustomizations_produce_an_object_where_both_apply_it() {
    let class = |more: &str| format!("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: high\n{more}");
    let policy = |policy: &str| class(&format!("  annotations:\n    kustomize.toolkit.fluxcd.io/{policy}\n"));
    let second = "  name: apps\n  namespace: flux-system\nspec:\n";
    for (object, spec, is_found) in [
        (class(""), "", true),
        (class(""), "  suspend: true\n", true),
        // All Kustomizations are one field manager.
        (policy("ssa: Merge"), "", true),
        (policy("ssa: IfNotPresent"), "", false),
        (policy("ssa: Ignore"), "", false),
        (policy("reconcile: disabled"), "", false),
        (class(""), "  kubeConfig:\n    secretRef:\n      name: hidden\n", false),
    ] {
        let repo = repo();
        repo.write("apps/all.yaml", &format!("{APPS}---\n{object}"));
        let root = ROOT.replace(second, &format!("{second}{spec}"));
        repo.write("clusters/one/all.yaml", &root);
        repo.write("clusters/two/all.yaml", &root);
        let out = repo.run(&["validate", SCHEMAS, CHARTS]).out;
        let line = APPS.lines().count() + 5;
        let found = format!(
            "apps/all.yaml:{line}: producer: PriorityClass.scheduling.k8s.io high: both Kustomization flux-system/infra and Kustomization flux-system/apps produce it, and each undoes what the other applies: take it out of one [one, two]\n"
        );
        assert_eq!(out.contains(&found), is_found, "{object}{spec}: {out}");
        assert_eq!(out.contains("producer"), is_found, "{object}{spec}: {out}");
    }
}

#[test]
fn a_namespace_is_there_where_something_makes_it() {
    let config = |namespace: &str| {
        format!("{APPS}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n  namespace: {namespace}\n")
    };
    let repo = repo();
    let run = |repo: &Repo, more: &[&str]| repo.run(&[&["validate", SCHEMAS, CHARTS], more].concat());
    for namespace in ["default", "kube-system", "kube-public", "kube-node-lease", "flux-system", "web"] {
        repo.write("apps/all.yaml", &config(namespace));
        let ran = run(&repo, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{namespace}");
    }
    repo.write("apps/all.yaml", &config("theirs"));
    let found = "namespace: ConfigMap theirs/more: nothing in this cluster makes the namespace `theirs`: correct the name, add a Namespace, or give it with `--vars`";
    assert!(run(&repo, &[]).out.contains(found));
    repo.write("theirs.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: theirs}\n");
    assert_eq!(run(&repo, &["--vars", "theirs.yaml"]).out, "");
    for (install, is_made) in [("true", true), ("false", false)] {
        let release = format!("spec:\n  targetNamespace: theirs\n  install:\n    createNamespace: {install}\n  chart:");
        repo.write("infra/all.yaml", &INFRA.replace("spec:\n  chart:", &release));
        assert_eq!(run(&repo, &[]).out.contains(found), !is_made);
    }
}

#[test]
fn what_flux_drops_or_makes_nothing_of_is_found() {
    let repo = repo();
    let file = KUSTOMIZATION.replace("    namespace: web\n", "    namespace: web\n    literal: [b=c]\n");
    repo.write("apps/kustomization.yaml", &format!("{file}patchs: []\nNamePrefix: \"\"\n"));
    let ran = repo.run(&["validate", SCHEMAS, CHARTS]);
    assert_eq!(
        ran.out,
        "apps/kustomization.yaml:6: kustomization: Kustomization.kustomize.toolkit.fluxcd.io flux-system/apps: `secretGenerator.literal` is no field of a kustomization.yaml, and Flux drops it without a word: write `literals`, or take it out [one, two]
apps/kustomization.yaml:11: kustomization: Kustomization.kustomize.toolkit.fluxcd.io flux-system/apps: `patchs` is no field of a kustomization.yaml, and Flux drops it without a word: write `patches`, or take it out [one, two]
"
    );
    repo.write("apps/kustomization.yaml", "resorces:\n  - all.yaml\n");
    let ran = repo.run(&["validate", SCHEMAS, CHARTS]);
    assert!(
        ran.out.contains("apps/kustomization.yaml:1: kustomization: ") && ran.out.contains("write `resources`"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("makes no object"), "{}", ran.out);
    repo.write("apps/kustomization.yaml", "resources: []\n");
    let ran = repo.run(&["validate", SCHEMAS, CHARTS]);
    let found =
        "clusters/one/all.yaml:19: kustomization: Kustomization.kustomize.toolkit.fluxcd.io flux-system/apps: makes no object";
    assert!(ran.out.contains(found), "{}", ran.out);
}
