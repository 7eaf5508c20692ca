use std::sync::LazyLock;

use super::super::model::{ControlPlane, Node};
use super::*;

/// Made once: its RSA key takes seconds.
static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| Bundle::generate(&TalosVersion::parse("v1.13.9").unwrap()).unwrap());

const SYSCTL: &str = "machine:\n    sysctls:\n        vm.max_map_count: \"262144\"\n";

fn list(texts: &[&str]) -> Value<Vec<Value<String>>> {
    Value::Known(texts.iter().map(|text| (*text).into()).collect())
}

fn map(entries: &[(&str, &str)]) -> Value<BTreeMap<String, Value<String>>> {
    Value::Known(entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect())
}

fn pool(name: &str, count: i64) -> WorkerPool {
    WorkerPool {
        name: name.into(),
        count: count.into(),
        machine_type: "large".into(),
        disk_size: 50.into(),
        disk_type: "gp3".into(),
        zones: Value::Null,
        labels: Value::Null,
        annotations: Value::Null,
        taints: Value::Null,
        config_patches: Value::Null,
    }
}

fn control_plane() -> ControlPlane {
    ControlPlane {
        count: 1.into(),
        machine_type: "medium".into(),
        disk_size: 50.into(),
        disk_type: "gp3".into(),
        zones: Value::Null,
        config_patches: Value::Null,
    }
}

fn node((name, zone): (&str, &str)) -> (String, Value<Node>) {
    let node = Node {
        role: Value::Null,
        pool: Value::Null,
        machine_type: "t3.2xlarge".into(),
        zone: zone.into(),
        instance_id: Value::Null,
        private_ip: Value::Null,
        public_ip: Value::Null,
        talos_version: Value::Null,
        config: Value::Null,
        reboots: Value::Null,
    };
    (name.to_owned(), node.into())
}

/// A cluster as somebody wrote it, with one control-plane node and two workers.
fn written() -> ClusterModel {
    ClusterModel {
        id: "production/nyc1/demo".into(),
        name: "demo".into(),
        region_id: "production/aws/us-east-1/nyc1".into(),
        talos_version: "v1.13.9".into(),
        kubernetes_version: "1.35.4".into(),
        image: Value::Null,
        ingress: false.into(),
        pod_cidr: "10.244.0.0/16".into(),
        service_cidr: "10.96.0.0/12".into(),
        kubernetes_api_allowed_cidrs: Value::Null,
        talos_api_allowed_cidrs: Value::Null,
        cert_sans: Value::Null,
        config_patches: Value::Null,
        credentials_in_state: true.into(),
        deletion_protection: false.into(),
        tags: Value::Null,
        tags_all: Value::Null,
        status: "ready".into(),
        claim: "claim".into(),
        environment: "production".into(),
        account_id: "123456789012".into(),
        provider_type: "aws".into(),
        provider_region: "us-east-1".into(),
        config_contract: "v1.13.9".into(),
        security_group_id: "sg-1".into(),
        drift: Value::Known(Vec::new()),
        endpoint: "https://api.example.com:6443".into(),
        internal_endpoint: Value::Null,
        talos_endpoint: Value::Null,
        nodes: Value::Known([("control-plane-0", "a"), ("general-0", "a"), ("general-1", "b")].map(node).into()),
        kubeconfig: Value::Null,
        talosconfig: Value::Null,
        control_plane: control_plane().into(),
        worker_pool: Value::Known(vec![pool("general", 2)]),
        timeouts: Value::Null,
    }
}

fn control(model: &mut ClusterModel) -> &mut ControlPlane {
    model.control_plane.known_mut().unwrap()
}

fn general(model: &mut ClusterModel) -> &mut WorkerPool {
    model.worker_pool.known_mut().unwrap().iter_mut().find(|pool| pool.name.as_str() == Some("general")).unwrap()
}

/// The same as an import finds it: nothing is null, and what patches say is one patch for all.
fn imported(common: &[&str]) -> ClusterModel {
    let none = list(&[]);
    let mut row = written();
    row.kubernetes_api_allowed_cidrs = list(&["0.0.0.0/0"]);
    row.talos_api_allowed_cidrs = list(&["10.0.0.0/8", "127.0.0.0/8"]);
    row.cert_sans = none.clone();
    row.config_patches = list(common);
    *control(&mut row) = ControlPlane { zones: none.clone(), config_patches: none.clone(), ..control_plane() };
    *general(&mut row) = WorkerPool {
        zones: none.clone(),
        labels: map(&[]),
        annotations: map(&[]),
        taints: none.clone(),
        config_patches: none,
        ..pool("general", 2)
    };
    row
}

/// The configuration for what was imported, with nothing more than is needed.
fn for_imported() -> ClusterModel {
    ClusterModel { talos_api_allowed_cidrs: list(&["127.0.0.0/8", "10.0.0.0/8"]), ..written() }
}

fn planned(prior: &ClusterModel, config: &ClusterModel) -> ClusterModel {
    let mut plan = config.clone();
    as_configured(config, &mut plan);
    keep(Some(&BUNDLE), config, prior, &mut plan);
    plan
}

#[test]
fn what_is_configured_comes_back_also_where_it_is_nothing() {
    let config = written();
    let mut plan = imported(&[SYSCTL]);
    as_configured(&config, &mut plan);
    assert!(plan == config);
}

#[test]
fn a_configuration_that_says_the_same_in_other_words_changes_nothing() {
    let prior = imported(&[SYSCTL]);
    let mut config = for_imported();
    config.talos_version = "1.13.9".into();
    config.kubernetes_version = "v1.35.4".into();
    control(&mut config).machine_type = "t3.xlarge".into();
    control(&mut config).config_patches = list(&[SYSCTL]);
    general(&mut config).config_patches = list(&["# a comment", "machine: {sysctls: {vm.max_map_count: 262144}}"]);
    general(&mut config).zones = list(&["b", "a"]);
    assert!(planned(&prior, &config) == prior);
}

#[test]
fn a_label_is_a_label_also_where_a_patch_sets_it() {
    let mut prior = imported(&[]);
    general(&mut prior).labels = map(&[("tier", "data")]);
    let mut config = for_imported();
    general(&mut config).config_patches = list(&["machine: {nodeLabels: {tier: data}}"]);
    assert!(planned(&prior, &config) == prior);
}

#[test]
fn what_makes_a_difference_is_planned_as_configured() {
    let prior = imported(&[SYSCTL]);
    let mut config = written();
    config.config_patches = list(&["machine: {sysctls: {vm.max_map_count: 65530}}"]);
    let plan = planned(&prior, &config);
    assert!(plan.config_patches == config.config_patches);
    assert!(plan.talos_api_allowed_cidrs.is_null());
    assert!(plan.kubernetes_api_allowed_cidrs == prior.kubernetes_api_allowed_cidrs, "nobody named is everybody");
}

#[test]
fn what_is_no_longer_configured_is_gone() {
    let prior = ClusterModel { config_patches: list(&[SYSCTL]), ..written() };
    assert!(planned(&prior, &written()).config_patches.is_null());
}

#[test]
fn a_new_pool_gets_no_patch_that_an_import_took_for_everybodys() {
    let prior = imported(&[SYSCTL]);
    let mut config = for_imported();
    control(&mut config).config_patches = list(&[SYSCTL]);
    general(&mut config).config_patches = list(&[SYSCTL]);
    assert!(planned(&prior, &config) == prior);
    config.worker_pool.known_mut().unwrap().insert(0, pool("bare", 1));
    let mut plan = planned(&prior, &config);
    assert!(plan.config_patches.is_null());
    assert!(general(&mut plan).config_patches == list(&[SYSCTL]));
}

#[test]
fn pools_in_another_order_stay_in_that_of_before() {
    let ordered = |names: [&str; 2]| {
        let mut model = imported(&[]);
        let all = names.map(|name| WorkerPool { name: name.into(), ..general(&mut model).clone() });
        model.worker_pool = Value::Known(all.to_vec());
        model
    };
    let (prior, mut config) = (ordered(["general", "database"]), ordered(["database", "general"]));
    assert!(planned(&prior, &config) == prior);
    // One that changes besides is where it is written.
    general(&mut config).count = 3.into();
    assert!(planned(&prior, &config).worker_pool == config.worker_pool);
    // Core refuses a plan with nothing where something is written.
    let mut bare = ordered(["general", "database"]);
    general(&mut bare).labels = Value::Null;
    let mut turned = ordered(["database", "general"]);
    general(&mut turned).labels = Value::Null;
    assert!(planned(&bare, &turned).worker_pool == turned.worker_pool);
}

#[test]
fn a_pool_that_grows_takes_its_zones_from_the_configuration() {
    let prior = imported(&[]);
    let mut config = for_imported();
    general(&mut config).zones = list(&["a", "b"]);
    assert!(general(&mut planned(&prior, &config)).zones == list(&[]));
    general(&mut config).count = 3.into();
    assert!(general(&mut planned(&prior, &config)).zones == list(&["a", "b"]));
}

#[test]
fn an_unknown_patch_leaves_the_plan_as_configured() {
    let mut config = for_imported();
    config.config_patches = Value::Known(vec![Value::unknown()]);
    assert!(planned(&imported(&[SYSCTL]), &config).config_patches == config.config_patches);
}
