//! No secret of the bundle stands in a log, a diagnostic, a plan, or an attribute that is not marked sensitive.

use std::collections::{BTreeMap, BTreeSet};

use acceptance_tests::ledger::Matcher;
use acceptance_tests::terraform::{Kind, process};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use tokio::sync::watch;

use crate::checks;
use crate::world::{Cloud, World};

/// Where a control-plane config holds secrets.
const PLACES: &[&str] = &[
    "/machine/token",
    "/machine/ca/key",
    "/cluster/secret",
    "/cluster/token",
    "/cluster/secretboxEncryptionSecret",
    "/cluster/aescbcEncryptionSecret",
    "/cluster/ca/key",
    "/cluster/aggregatorCA/key",
    "/cluster/serviceAccount/key",
    "/cluster/etcd/ca/key",
];

/// Each secret in each of its forms, by the name that a failure gives it.
fn needles(config: &Json) -> BTreeMap<String, String> {
    let mut needles = BTreeMap::new();
    for place in PLACES {
        let Some(raw) = config.pointer(place).and_then(Json::as_str) else { continue };
        needles.insert(format!("{place}, raw"), raw.to_owned());
        needles.insert(format!("{place}, base64"), STANDARD.encode(raw).trim_end_matches('=').to_owned());
        // Keys are PEM in base64. A log may break lines, so each line of the body is looked for too, and the body in one.
        let Some(pem) = STANDARD.decode(raw).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { continue };
        let body: Vec<&str> = pem.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
        for (number, line) in body.iter().enumerate().filter(|(_, line)| line.len() >= 32) {
            needles.insert(format!("{place}, line {number} of the PEM body"), (*line).to_owned());
        }
        needles.insert(format!("{place}, PEM body"), body.concat());
    }
    needles
}

/// Claims that none of the secrets stands in a text.
fn holds_none(name: &str, text: &str, needles: &BTreeMap<String, String>) {
    assert!(!text.is_empty(), "there is no `{name}` to look into");
    let found: Vec<&String> =
        needles.iter().filter(|(_, needle)| text.contains(needle.as_str())).map(|(place, _)| place).collect();
    assert!(found.is_empty(), "`{name}` holds {found:?}");
}

/// A resource's values without those that `show -json` says are sensitive.
fn without_sensitive(values: &Json, sensitive: &Json) -> Json {
    match (values, sensitive) {
        (_, Json::Bool(true)) => Json::Null,
        (Json::Object(fields), Json::Object(marks)) => fields
            .iter()
            .map(|(name, value)| (name.clone(), without_sensitive(value, marks.get(name).unwrap_or(&Json::Null))))
            .collect(),
        (Json::Array(items), Json::Array(marks)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| without_sensitive(item, marks.get(index).unwrap_or(&Json::Null)))
            .collect(),
        _ => values.clone(),
    }
}

async fn no_secret_leaks(kind: Kind, cloud: Cloud) {
    let Some(world) = World::on(cloud).await else { return };
    let configuration = world.cluster();
    let mut workspace = world.workspace(kind, &configuration);
    workspace.set("TF_LOG", "TRACE");
    let mut texts: Vec<(String, String)> = Vec::new();

    // A create that is interrupted, so that there are diagnostics and a state of what exists …
    let (terraform, mut started) = watch::channel(None);
    world.ledger().on_answer(Matcher::talos("Bootstrap"), false, move |_| async move {
        let terraform: u32 = started.wait_for(Option::is_some).await.unwrap().unwrap();
        process::interrupt_group(terraform).unwrap();
    });
    let run = workspace.start(&["apply", "-json", "-auto-approve"]).unwrap();
    terraform.send(Some(run.process())).unwrap();
    let interrupted = run.finish(workspace.limit()).await.unwrap();
    assert_ne!(interrupted.code, Some(0), "{}", interrupted.report());
    // … one that goes on from there, with the bundle read back …
    let finished = workspace.apply().await.unwrap().succeeds();
    // … a change in place, and a patch that fails.
    let patch =
        |patch: &str| configuration.clone().with_cluster(|it| it.extra = format!("config_patches = [yamlencode({patch})]"));
    workspace.write("main.tf", &patch("{ machine = { sysctls = { \"vm.max_map_count\" = \"262144\" } } }").hcl()).unwrap();
    let plan = workspace.plan().await.unwrap().has_changes();
    let mut plan_json = workspace.run(&["show", "-json", "plan"]).await.unwrap();
    texts.push(("plan as JSON".to_owned(), std::mem::take(&mut plan_json.stdout)));
    let changed = workspace.apply_plan().await.unwrap().succeeds();
    workspace.write("main.tf", &patch("{ machine = { sysctl = {} } }").hcl()).unwrap();
    let refused = workspace.plan().await.unwrap().fails();
    for outcome in [interrupted, finished, plan, plan_json, changed, refused] {
        texts.push((format!("output of `{}`", outcome.command), format!("{} ", outcome.stdout)));
        assert!(outcome.stderr.contains("[TRACE]"), "`{}` logs at TRACE", outcome.command);
        texts.push((format!("log of `{}`", outcome.command), outcome.stderr));
    }
    workspace.unset("TF_LOG");
    let state = workspace.show_state().await.unwrap();
    for resource in state["values"]["root_module"]["resources"].as_array().unwrap() {
        let open = without_sensitive(&resource["values"], &resource["sensitive_values"]);
        texts.push((format!("attributes of {}", resource["address"]), open.to_string()));
    }

    let configs: Vec<String> = match (cloud, world.nodes()) {
        (Cloud::Aws, _) => checks::machine_configs(&world).await.into_values().collect(),
        (Cloud::Docker, Some(nodes)) => nodes.configs(),
        // Real nodes: their configs are read by nobody here.
        (Cloud::Docker, None) => return,
    };
    let control_planes: Vec<Json> = configs
        .iter()
        .map(|config| checks::document(config))
        .filter(|config| config["machine"]["type"] == "controlplane")
        .collect();
    assert!(control_planes.len() >= 3);
    let needles = needles(&control_planes[0]);
    let with_secrets: BTreeSet<&str> = needles.keys().filter_map(|name| name.split(',').next()).collect();
    assert!(with_secrets.len() >= 9, "a bundle has more secrets than {with_secrets:?}");
    for (name, text) in &texts {
        holds_none(name, text, &needles);
    }
    // The search itself finds what is there.
    let needle_config = configs.iter().find(|config| config.contains("controlplane")).unwrap();
    assert!(needles.values().any(|needle| needle_config.contains(needle.as_str())));
    workspace.write("main.tf", &configuration.hcl()).unwrap();
    workspace.destroy().await.unwrap().succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_bundle_stands_where_it_should_not_on_docker() {
    no_secret_leaks(Kind::Terraform, Cloud::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_bundle_stands_where_it_should_not_under_terraform() {
    no_secret_leaks(Kind::Terraform, Cloud::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_bundle_stands_where_it_should_not_under_opentofu() {
    no_secret_leaks(Kind::OpenTofu, Cloud::Aws).await;
}
