//! Faults in what objects are.

use crate::dice::Dice;
use crate::tree::{At, Planted, Tree, is_substituted};
use crate::{Kind, Needs};

pub(crate) fn kinds() -> Vec<Kind> {
    let free = |name, plant| Kind { name, needs: Needs::Nothing, plant };
    let held = |name, plant| Kind { name, needs: Needs::Schemas, plant };
    vec![
        free("an image without a tag", untagged),
        free("an image of the latest version", latest),
        free("a chart of any version", any_chart),
        free("a chart of a range of versions", chart_range),
        free("an old version of an API", old_api),
        free("a namespace whose policy lets some in", let_in),
        free("a namespace whose policy spares some", spared),
        free("a namespace without a policy", unguarded),
        free("an object that another Kustomization makes too", made_twice),
        free("a namespace that nobody makes", no_namespace),
        free("a release into a namespace that nobody makes", no_target),
        free("a waiver of a rule that is none", waiver_of_nothing),
        free("a waiver without a reason", waiver_without_reason),
        free("a waiver that waives nothing", idle_waiver),
        held("a value that the chart does not have", unknown_value),
        held("a value of another type than the chart's", mistyped_value),
        held("a field that the kind does not have", unknown_field),
        held("a value of another type than the field's", mistyped_field),
        held("a value that the field does not take", unlisted),
        held("a field that is missing", missing_field),
        held("a text that becomes a number", number),
        held("a field that another one rules out", broken_rule),
        held("a kind without a schema", unknown_kind),
        held("a kind that is misspelt", misspelt_kind),
    ]
}

fn untagged(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = image(tree, dice);
    let image = at.text.split(" #").next().unwrap();
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let (name, _) = name.rsplit_once(':').unwrap();
    tree.set(&at, name);
    at.is("image")
}

fn latest(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = image(tree, dice);
    let image = at.text.split(" #").next().unwrap();
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let (name, _) = name.rsplit_once(':').unwrap();
    tree.set(&at, &format!("{name}:latest"));
    at.is("image")
}

fn image(tree: &Tree, dice: &mut Dice) -> At {
    dice.choose(&tree.lines(|document, line| document.kind == "Deployment" && line.trim_start().starts_with("image: ")))
}

fn any_chart(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let file = tree.some_file(dice);
    let text = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: extra\n  namespace: kube-system\nspec:\n  interval: 1h\n  chart:\n    spec:\n      chart: extra\n      sourceRef:\n        kind: HelmRepository\n        name: extra\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: extra\n  namespace: kube-system\nspec:\n  url: https://example.com/charts";
    tree.append(&file, text).below(8).is("chart")
}

fn chart_range(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines(|document, line| document.kind == "OCIRepository" && line.starts_with("    tag: ")));
    let major = at.text.split(['.', ':']).nth(1).unwrap().trim().trim_start_matches('v').to_owned();
    tree.set(&at, &format!("    semver: {major}.x"));
    At { line: at.line - 1, ..at }.is("chart")
}

fn old_api(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let old = [
        ("helm.toolkit.fluxcd.io/v2", "v2beta2"),
        ("source.toolkit.fluxcd.io/v1", "v1beta2"),
        ("notification.toolkit.fluxcd.io/v1beta3", "v1beta2"),
        ("image.toolkit.fluxcd.io/v1", "v1beta2"),
        ("kustomize.toolkit.fluxcd.io/v1", "v1beta2"),
        ("policy/v1", "v1beta1"),
        ("networking.k8s.io/v1", "v1beta1"),
        ("cert-manager.io/v1", "v1alpha2"),
    ];
    // A patch is of one version too, and so is a replacement.
    let is_patched = ["HelmRelease cert-manager", "Deployment inferadb-engine"];
    let documents: Vec<_> = tree
        .documents()
        .into_iter()
        .filter(|one| !is_patched.contains(&format!("{} {}", one.kind, one.name).as_str()))
        .filter(|one| old.iter().any(|(now, _)| *now == one.api_version))
        // A field that only the new version has is a finding of its own.
        .filter(|one| tree.lines_of(one, |line| line == "  healthCheckExprs:").is_empty())
        .collect();
    let document = dice.choose(&documents);
    let (now, old) = old.iter().find(|(now, _)| *now == document.api_version).unwrap();
    let at = tree.lines_of(&document, |line| line.starts_with("apiVersion: "))[0].clone();
    tree.set(&at, &format!("apiVersion: {}/{old}", now.split('/').next().unwrap()));
    at.is("deprecated-api")
}

/// The policy that shuts a namespace, and where the namespace is named.
fn shut(tree: &Tree, dice: &mut Dice) -> (Vec<At>, At) {
    let policies = tree.of_kind("NetworkPolicy");
    let default: Vec<_> = policies.into_iter().filter(|one| one.name == "default-deny").collect();
    let policy = dice.choose(&default);
    let lines = tree.lines_of(&policy, |_| true);
    let namespace = lines.iter().find_map(|at| at.text.strip_prefix("  namespace: ")).unwrap().to_owned();
    let named = tree.lines(|document, line| document.kind == "Namespace" && line == format!("  name: {namespace}"));
    (lines, named[0].clone())
}

fn let_in(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let (policy, namespace) = shut(tree, dice);
    let at = policy.iter().find(|at| at.text == "spec:").unwrap();
    tree.insert(at, "  ingress:\n    - {}");
    moved(&namespace, at, 2).is("default-deny")
}

fn spared(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let (policy, namespace) = shut(tree, dice);
    let at = policy.iter().find(|at| at.text.starts_with("  podSelector:")).unwrap();
    tree.set(at, "  podSelector: {matchExpressions: [{key: open, operator: DoesNotExist}]}");
    namespace.is("default-deny")
}

fn unguarded(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let file = tree.some_file(dice);
    tree.append(&file, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: open").below(3).is("default-deny")
}

fn made_twice(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Of what is made before in every cluster, without variables.
    let documents: Vec<_> = tree
        .documents()
        .into_iter()
        .filter(|one| one.file.starts_with("flux/infrastructure/base/controllers/cert-manager/") && one.kind != "HelmRelease")
        .filter(|one| tree.lines_of(one, |line| line.contains("${")).is_empty())
        .collect();
    let document = dice.choose(&documents);
    let text: Vec<String> = tree.lines_of(&document, |_| true).into_iter().map(|at| at.text).collect();
    let name = text.iter().position(|line| line.starts_with("  name: ")).unwrap();
    tree.append("flux/apps/base/engine/service.yaml", &text.join("\n")).below(name).is("producer")
}

fn no_namespace(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let file = tree.some_file(dice);
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: more\n  namespace: infradb\nspec:\n  ports:\n    - port: 80";
    tree.append(&file, text).below(4).is("namespace")
}

fn no_target(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines(|document, line| document.kind == "HelmRelease" && line == "spec:"));
    tree.insert(&at, "  targetNamespace: infradb").is("namespace")
}

/// A place after lines came in above it, if they did.
fn moved(place: &At, inserted: &At, lines: usize) -> At {
    if place.file == inserted.file && place.line > inserted.line { place.below(lines) } else { place.clone() }
}

/// Puts an annotation on some object that has none, and gives its place.
fn annotate(tree: &mut Tree, dice: &mut Dice, annotation: &str) -> At {
    let documents: Vec<_> = tree
        .documents()
        .into_iter()
        .filter(|one| is_substituted(&one.file) && tree.lines_of(one, |line| line.starts_with("  annotations:")).is_empty())
        .collect();
    let document = dice.choose(&documents);
    let at = tree.lines_of(&document, |line| line == "metadata:")[0].clone();
    tree.insert(&at, &format!("  annotations:\n    {annotation}")).below(1)
}

fn waiver_of_nothing(tree: &mut Tree, dice: &mut Dice) -> Planted {
    annotate(tree, dice, "waive.inferadb.com/secrets: the chart makes it").is("waiver")
}

fn waiver_without_reason(tree: &mut Tree, dice: &mut Dice) -> Planted {
    annotate(tree, dice, "waive.inferadb.com/secret: \"\"").is("waiver")
}

fn idle_waiver(tree: &mut Tree, dice: &mut Dice) -> Planted {
    annotate(tree, dice, "waive.inferadb.com/storage-class: the cloud makes it").is("waiver")
}

/// Where the values of a release start whose chart is at hand.
fn values(tree: &Tree, dice: &mut Dice) -> At {
    let schemas = crate::schemas().unwrap();
    let is_here = |name: &str| {
        let tag = tree.lines(|document, line| document.name == name && line.starts_with("    tag: "));
        tag.first().is_some_and(|at| schemas.join(format!("charts/{name}-{}", at.text.trim_start_matches("    tag: "))).is_dir())
    };
    dice.choose(&tree.lines(|document, line| document.kind == "HelmRelease" && is_here(&document.name) && line == "  values:"))
}

fn unknown_value(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = values(tree, dice);
    // At the top, or in something that the chart has.
    let lines = tree.lines_of_files(|path| path == at.file, |line| line.starts_with("    ") && line.ends_with("resources:"));
    let inner: Vec<At> = lines.into_iter().filter(|one| one.line > at.line && one.text.starts_with("      ")).collect();
    if inner.is_empty() || dice.roll(2) == 0 {
        return with_schema(tree.insert(&at, "    replicaCuont: 2"), "chart-value");
    }
    let at = dice.choose(&inner);
    let above = At { line: at.line - 1, ..at };
    with_schema(tree.insert(&above, "      replicaCuont: 2"), "chart-value")
}

/// cert-manager's schema refuses unknown values too: it says so at what holds them.
fn with_schema(at: At, rule: &str) -> Planted {
    let mut planted = at.is(rule);
    planted.findings.extend(At { line: at.line - 1, ..at }.is("chart-schema").findings);
    planted
}

fn mistyped_value(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = values(tree, dice);
    tree.insert(&at, "    replicaCount: many").is("chart-schema")
}

fn unknown_field(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let documents = tree.documents();
    let at = dice.choose(&spec_lines(tree, &documents));
    tree.insert(&at, "  notAField: 1");
    at.is("schema")
}

/// Where specs start, but for those that other objects are patched into.
fn spec_lines(tree: &Tree, documents: &[crate::tree::Document]) -> Vec<At> {
    documents.iter().flat_map(|document| tree.lines_of(document, |line| line == "spec:")).collect()
}

fn mistyped_field(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Fields of whole numbers and of texts, of any kind.
    let fields = ["replicas:", "revisionHistoryLimit:", "terminationGracePeriodSeconds:", "port:", "type:", "path:"];
    let at = dice.choose(&tree.lines(|document, line| {
        !document.file.starts_with("flux/clusters/") && fields.iter().any(|field| line.trim_start().starts_with(field))
    }));
    let (key, _) = at.text.split_once(':').unwrap();
    tree.set(&at, &format!("{key}: {{a: b}}"));
    at.is("schema")
}

fn unlisted(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let fields = ["    mode: enabled", "  eventSeverity: ", "  type: slack", "  type: pagerduty", "    operation: copy"];
    let at = dice.choose(&tree.lines(|_, line| fields.iter().any(|field| line.starts_with(field))));
    tree.misspell(&at);
    at.is("schema")
}

fn missing_field(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // What the schemas require: the object that lacks it is pointed at.
    let fields = ["  interval: ", "  url: ", "  type: ", "  eventSources:", "  podSelector: {}"];
    let at = dice.choose(&tree.lines(|document, line| {
        ["OCIRepository", "Provider", "HelmRelease"].contains(&document.kind.as_str())
            && fields[..3].iter().any(|field| line.starts_with(field))
            && document.name != "cert-manager"
    }));
    let spec = tree.lines_of_files(|path| path == at.file, |line| line == "spec:");
    let spec = spec.into_iter().rfind(|one| one.line < at.line).unwrap();
    let key = at.text.split_once(':').unwrap().0.trim().to_owned();
    tree.set(&at, &format!("  # no {key}"));
    spec.is("schema")
}

fn number(tree: &mut Tree, dice: &mut Dice) -> Planted {
    annotate(tree, dice, "example.com/nodes: ${FDB_NODES}").is("schema")
}

fn broken_rule(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines(|document, line| document.kind == "Provider" && line == "spec:"));
    tree.insert(&at, "  commitStatusExpr: \"'deployed'\"");
    at.is("crd-rule")
}

fn misspelt_kind(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Of these, nothing else tells that one is missing.
    let kinds = ["PodDisruptionBudget", "ImagePolicy", "ImageUpdateAutomation", "Alert"];
    let at = dice.choose(&tree.lines(|document, line| kinds.contains(&document.kind.as_str()) && line.starts_with("kind: ")));
    tree.misspell(&at);
    at.is("schema")
}

fn unknown_kind(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let file = tree.some_file(dice);
    let text = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n  namespace: inferadb";
    tree.append(&file, text).is("schema-missing").with("--require-schemas")
}
