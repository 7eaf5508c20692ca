//! What more than one test claims of a cluster, found without any help of the product.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use acceptance_tests::ledger::Matcher;
use serde_json::{Value as Json, json};

use crate::world::{World, took_effect};

/// Claims that etcd was bootstrapped on exactly one of the nodes that stand now.
pub(crate) async fn one_etcd_cluster(world: &World) {
    world.nodes_are_sound();
    let machines = world.node_ids().await;
    if machines.is_empty() {
        return;
    }
    let bootstrapped: BTreeSet<String> = world
        .ledger()
        .calls()
        .into_iter()
        .filter(|call| Matcher::talos("Bootstrap").fits(call) && took_effect(call) && machines.contains(&call.service))
        .map(|call| call.service)
        .collect();
    assert_eq!(bootstrapped.len(), 1, "etcd is bootstrapped on one node, once: {bootstrapped:?}");
}

/// What every standing machine booted from, by instance id: user data asked of the cloud and unpacked.
pub(crate) async fn machine_configs(world: &World) -> BTreeMap<String, String> {
    const SCRIPT: &str = r#"
import base64, boto3, gzip, json
ec2 = boto3.client("ec2")
configs = {}
for page in ec2.get_paginator("describe_instances").paginate():
    for reservation in page["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] in ("pending", "running"):
                answer = ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
                data = base64.b64decode(answer["UserData"]["Value"])
                configs[instance["InstanceId"]] = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
print(json.dumps(configs))
"#;
    serde_json::from_slice(&python(SCRIPT, world.aws().env()).await).unwrap()
}

/// Calls EC2 as somebody else would: one method of boto3's client.
pub(crate) async fn ec2(world: &World, call: &str) {
    python(&format!("import boto3\nboto3.client('ec2').{call}"), world.aws().env()).await;
}

/// Does something with boto3's client of load balancers, `elb`, as somebody else would.
pub(crate) async fn balancers(world: &World, what: &str) {
    python(&format!("import boto3\nelb = boto3.client('elbv2')\n{what}"), world.aws().env()).await;
}

/// Names of the Node objects, asked with the kubeconfig of a cluster's row.
pub(crate) async fn node_objects(cluster: &Json) -> BTreeSet<String> {
    const SCRIPT: &str = r#"
import base64, json, os, ssl, tempfile, urllib.request, yaml
config = yaml.safe_load(os.environ["CONFIG"])
cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
with tempfile.NamedTemporaryFile() as pair:
    for part in ("client-certificate-data", "client-key-data"):
        pair.write(base64.b64decode(user[part]))
    pair.flush()
    tls.load_cert_chain(pair.name)
answer = urllib.request.urlopen(cluster["server"] + "/api/v1/nodes", context=tls)
print(json.dumps([node["metadata"]["name"] for node in json.load(answer)["items"]]))
"#;
    let config = ("CONFIG".to_owned(), cluster["kubeconfig"].as_str().unwrap().to_owned());
    serde_json::from_slice(&python(SCRIPT, vec![config]).await).unwrap()
}

/// What a script prints, with boto3 at hand.
pub(crate) async fn python(script: &str, env: Vec<(String, String)>) -> Vec<u8> {
    let python = acceptance_tests::python::interpreter().await.unwrap();
    let output = tokio::process::Command::new(python).args(["-c", script]).envs(env).stdin(Stdio::null()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Claims that Talos' own library takes every config that ever reached a node as a node in a cloud does, without a word of
/// warning. `TALOS_MACHINERY_CLI` names the program that asks it; without, the claim is skipped.
pub(crate) fn talos_takes_all_configs(world: &World) {
    let Some(program) = std::env::var_os("TALOS_MACHINERY_CLI") else {
        // Past the capture of output: it is counted at the end.
        let what = "machine configs against Talos' own library";
        let _ = writeln!(std::io::stderr(), "skipped: {what}: TALOS_MACHINERY_CLI is not set, which `make acceptance` does");
        return;
    };
    let Some(nodes) = world.nodes() else { return };
    let configs = nodes.configs();
    assert!(!configs.is_empty());
    let mut library = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut questions = library.stdin.take().unwrap();
    let mut answers = BufReader::new(library.stdout.take().unwrap()).lines();
    for (number, config) in configs.iter().enumerate() {
        writeln!(questions, "{}", json!({"op": "load", "config": config})).unwrap();
        let answer: Json = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["ok"], true, "config {number} of {}: {}", configs.len(), answer["error"]);
        assert!(answer["warnings"].as_array().is_none_or(Vec::is_empty), "config {number}: {}", answer["warnings"]);
    }
    drop(questions);
    library.wait().unwrap();
}

/// One document of a machine config.
pub(crate) fn document(config: &str) -> Json {
    let first = config.split("\n---").next().unwrap_or(config);
    serde_saphyr::from_str(first).unwrap()
}
