//! A cluster that another state has made is imported, and the plan after it is empty.

use acceptance_tests::terraform::{Diagnostic, Kind, Workspace};
use serde_json::json;

use crate::checks;
use crate::cluster::large_manifest;
use crate::configuration::Configuration;
use crate::world::{Cloud, World};

/// A cluster with a bit of everything that an import has to read back.
const EVERYTHING: &str = r#"
  ingress                      = true
  kubernetes_api_allowed_cidrs = ["127.0.0.0/8", "10.0.0.0/8"]
  talos_api_allowed_cidrs      = ["127.0.0.0/8"]
  cert_sans                    = ["demo.example.com", "192.0.2.7"]
  tags                         = { cost = "7" }

  config_patches = [
    yamlencode({
      cluster = {
        network         = { cni = { name = "none" } }
        proxy           = { disabled = true }
        inlineManifests = [{ name = "cilium", contents = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: cilium-system\n" }]
      }
    }),
    yamlencode({ machine = { sysctls = { "vm.max_map_count" = "262144" }, certSANs = ["talos.example.com"] } }),
  ]

  worker_pool {
    name         = "database"
    count        = 2
    machine_type = "m6i.xlarge"
    disk_size    = 120
    disk_type    = "gp2"
    zones        = ["us-east-1b", "us-east-1a"]
    labels       = { "inferadb.com/pool" = "database", tier = "data" }
    annotations  = { "inferadb.com/note" = "a: b # c" }
    taints       = ["dedicated=database:NoSchedule", "slow:PreferNoSchedule"]
    config_patches = [
      yamlencode({ machine = { nodeLabels = { patched = "yes" } } }),
    ]
  }
"#;

fn everything(world: &World) -> Configuration {
    Configuration::cluster(world.cidr())
        .with(|it| it.provider_extra = "default_tags = { team = \"platform\" }".to_owned())
        .with_cluster(|it| it.extra = EVERYTHING.to_owned())
}

/// Runs the import commands that the errors of the second directory print.
async fn import_as_printed(second: &Workspace) {
    for resource in ["inferadb_region.nyc1", "inferadb_cluster.demo"] {
        let (kind, _) = resource.split_once('.').unwrap();
        let refused = second.apply().await.unwrap().fails().says(&[&format!("terraform import {kind}.LABEL ")]);
        let errors: Vec<String> = refused.errors().iter().map(Diagnostic::text).collect();
        let command = errors
            .iter()
            .flat_map(|text| text.lines())
            .map(str::trim)
            .find(|line| line.starts_with(&format!("terraform import {kind}.LABEL ")))
            .unwrap();
        import(second, resource, command.rsplit(' ').next().unwrap()).await;
    }
}

async fn import(workspace: &Workspace, resource: &str, id: &str) {
    let imported = workspace.run(&["import", "-no-color", resource, id]).await.unwrap();
    assert_eq!(imported.code, Some(0), "{}{}", imported.stdout, imported.stderr);
}

async fn taken_over_by_a_second_directory(kind: Kind) {
    let world = World::start().await;
    let configuration = everything(&world);
    let first = world.workspace(kind, &configuration);
    first.apply().await.unwrap().succeeds();
    first.plan().await.unwrap().is_empty_plan();
    let made = first.attributes("inferadb_cluster.demo").await.unwrap();
    let standing = world.inventory().await;

    let second = first.copy().unwrap();
    import_as_printed(&second).await;
    let before = world.ledger().newest();
    second.plan().await.unwrap().is_empty_plan();
    world.unchanged_since(before);
    let imported = second.attributes("inferadb_cluster.demo").await.unwrap();
    for attribute in ["id", "claim", "config_contract", "endpoint", "nodes", "pod_cidr", "tags", "tags_all", "security_group_id"]
    {
        assert_eq!(imported[attribute], made[attribute], "{attribute}");
    }
    assert_eq!(imported["worker_pool"][1]["machine_type"], "large");
    // One patch for all nodes stands for the list; what the pool's own patch says shows as a label.
    assert_eq!(imported["config_patches"].as_array().unwrap().len(), 1, "{}", imported["config_patches"]);
    assert_eq!(imported["worker_pool"][0]["config_patches"], json!([]));
    assert_eq!(imported["worker_pool"][0]["labels"]["patched"], "yes");
    assert!(imported["kubeconfig"].as_str().unwrap().contains("client-certificate-data"));

    // What was imported is worked on like what was made.
    second.write("main.tf", &configuration.clone().with_cluster(|it| it.workers = 3).hcl()).unwrap();
    let planned = second.plan().await.unwrap().has_changes().planned();
    assert_eq!(planned.into_iter().collect::<Vec<_>>(), [("inferadb_cluster.demo".to_owned(), "update".to_owned())]);
    let before = world.ledger().newest();
    second.apply_plan().await.unwrap().succeeds();
    let applied = world.ledger().calls_after(before).into_iter().filter(|call| call.action == "ApplyConfiguration");
    assert_eq!(applied.count(), 0, "nodes that stood were given another config");
    let grown = world.inventory().await.machines();
    assert!(grown.is_superset(&standing.machines()) && grown.len() == 8, "{grown:?}");
    second.plan().await.unwrap().is_empty_plan();
    checks::one_etcd_cluster(&world).await;
    checks::talos_takes_all_configs(&world);

    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_cluster_has_an_empty_plan_and_is_scaled_and_destroyed_by_terraform() {
    taken_over_by_a_second_directory(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_cluster_has_an_empty_plan_and_is_scaled_and_destroyed_by_opentofu() {
    taken_over_by_a_second_directory(Kind::OpenTofu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_cluster_on_docker_has_an_empty_plan() {
    let Some(world) = World::on(Cloud::Docker).await else { return };
    let configuration = world.cluster().with_cluster(|it| {
        (it.control_plane, it.workers) = (1, 1);
        it.extra =
            "ingress = true\n config_patches = [yamlencode({ machine = { sysctls = { \"vm.max_map_count\" = \"262144\" } } })]"
                .to_owned();
    });
    let first = world.workspace(Kind::Terraform, &configuration);
    first.apply().await.unwrap().succeeds();
    first.plan().await.unwrap().is_empty_plan();
    let made = first.attributes("inferadb_cluster.demo").await.unwrap();

    let second = first.copy().unwrap();
    import_as_printed(&second).await;
    second.plan().await.unwrap().is_empty_plan();
    let imported = second.attributes("inferadb_cluster.demo").await.unwrap();
    for attribute in ["id", "claim", "image", "ingress", "config_contract", "endpoint", "internal_endpoint", "nodes"] {
        assert_eq!(imported[attribute], made[attribute], "{attribute}");
    }
    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_applied_after_the_creation_is_imported_from_the_nodes() {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr());
    let first = world.workspace(Kind::Terraform, &configuration);
    first.apply().await.unwrap().succeeds();
    let patched = configuration.with_cluster(|it| {
        it.extra = "config_patches = [yamlencode({ machine = { sysctls = { \"vm.max_map_count\" = \"262144\" } } })]".to_owned();
    });
    first.write("main.tf", &patched.hcl()).unwrap();
    first.apply().await.unwrap().succeeds();
    first.plan().await.unwrap().is_empty_plan();

    let second = first.copy().unwrap();
    import(&second, "inferadb_region.nyc1", "test/nyc1").await;
    import(&second, "inferadb_cluster.demo", "test/nyc1/demo").await;
    second.plan().await.unwrap().is_empty_plan();
    // Without the patch there is something to do again, on every node.
    second.write("main.tf", &patched.clone().with_cluster(|it| it.extra = String::new()).hcl()).unwrap();
    second.plan().await.unwrap().has_changes().warns(&["5 nodes to change in place"]);
    second.apply_plan().await.unwrap().succeeds();
    second.plan().await.unwrap().is_empty_plan();
    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

/// The same where Kubernetes' parts have documents of their own, as from v1.14 on.
fn in_documents(everything: &str) -> String {
    let (before, rest) = everything.split_once("    yamlencode({\n      cluster").unwrap();
    let (_, after) = rest.split_once("    }),\n").unwrap();
    let cilium = r"    <<-YAML
      apiVersion: v1alpha1
      kind: KubeFlannelCNIConfig
      $patch: delete
      ---
      apiVersion: v1alpha1
      kind: KubeProxyConfig
      $patch: delete
      ---
      apiVersion: v1alpha1
      kind: KubeInlineManifestConfig
      name: cilium
      manifest: |
        apiVersion: v1
        kind: Namespace
        metadata:
          name: cilium-system
    YAML
    ,
";
    let label = r#"{ apiVersion = "v1alpha1", kind = "KubeNodeConfig", labels = { patched = "yes" } }"#;
    format!("{before}{cilium}{}", after.replace(r#"{ machine = { nodeLabels = { patched = "yes" } } }"#, label))
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_the_oldest_and_the_newest_talos_are_imported() {
    for (talos, kubernetes) in [("v1.8.0", "1.31.14"), ("v1.14.1", "1.37.0")] {
        let world = World::start().await;
        let configuration = everything(&world).with_cluster(|it| {
            talos.clone_into(&mut it.talos_version);
            kubernetes.clone_into(&mut it.kubernetes_version);
            it.control_plane = 1;
            it.workers = 1;
            if talos == "v1.14.1" {
                it.extra = in_documents(&it.extra);
            }
        });
        let first = world.workspace(Kind::OpenTofu, &configuration);
        first.apply().await.unwrap().succeeds();
        let second = first.copy().unwrap();
        import(&second, "inferadb_region.nyc1", "test/nyc1").await;
        import(&second, "inferadb_cluster.demo", "test/aws/us-east-1/nyc1/demo").await;
        second.plan().await.unwrap().is_empty_plan();
        second.destroy().await.unwrap().succeeds();
        world.is_empty().await;
    }
}

/// An image of the same name by somebody else than Talos' makers.
async fn other_image(world: &World) -> String {
    const SCRIPT: &str = r#"
import boto3
names = [{"Name": "name", "Values": ["talos-v1.13.9-us-east-1-amd64"]}]
images = boto3.client("ec2").describe_images(Filters=names)["Images"]
print(next(image["ImageId"] for image in images if image["OwnerId"] != "540036508848"))
"#;
    String::from_utf8(checks::python(SCRIPT, world.aws().env()).await).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_image_and_what_user_data_cannot_carry_are_read_back() {
    let world = World::start().await;
    let image = other_image(&world).await;
    let configuration = Configuration::cluster(world.cidr()).with_cluster(|it| {
        it.control_plane = 1;
        it.workers = 1;
        it.extra = format!("image = \"{image}\"\n{}", large_manifest(60_000));
    });
    let first = world.workspace(Kind::Terraform, &configuration);
    first.apply().await.unwrap().succeeds();

    let second = first.copy().unwrap();
    import(&second, "inferadb_region.nyc1", "test/nyc1").await;
    import(&second, "inferadb_cluster.demo", "test/nyc1/demo").await;
    second.plan().await.unwrap().is_empty_plan();
    assert_eq!(second.attributes("inferadb_cluster.demo").await.unwrap()["image"], image.as_str());
    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_cluster_is_not_imported_but_gone_on_from() {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr());
    let first = world.workspace(Kind::Terraform, &configuration);
    world.aws().set_instance_quota(Some(3));
    first.apply().await.unwrap().fails();
    world.aws().set_instance_quota(None);

    let second = first.copy().unwrap();
    import(&second, "inferadb_region.nyc1", "test/nyc1").await;
    let refused = second.run(&["import", "-no-color", "inferadb_cluster.demo", "test/nyc1/demo"]).await.unwrap();
    assert_eq!(refused.code, Some(1));
    let said = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
    assert!(said.contains("Cluster `test/nyc1/demo` is not finished") && said.contains("goes on from what stands"), "{said}");
    second.apply().await.unwrap().succeeds();
    second.plan().await.unwrap().is_empty_plan();
    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_user_data_the_talosconfig_leads_to_the_secrets() {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr());
    let first = world.workspace(Kind::Terraform, &configuration);
    first.apply().await.unwrap().succeeds();
    let cluster = first.attributes("inferadb_cluster.demo").await.unwrap();

    let mut second = first.copy().unwrap();
    import(&second, "inferadb_region.nyc1", "test/nyc1").await;
    let denied = world.aws().deny("ec2", "DescribeInstanceAttribute");
    let arguments = ["import", "-no-color", "inferadb_cluster.demo", "test/nyc1/demo"];
    let refused = second.run(&arguments).await.unwrap();
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("ec2:DescribeInstanceAttribute") && refused.stderr.contains("TALOSCONFIG"),
        "{}",
        refused.stderr
    );

    second.write("talosconfig", cluster["talosconfig"].as_str().unwrap()).unwrap();
    second.set("TALOSCONFIG", second.path().join("talosconfig").display().to_string());
    let imported = second.run(&arguments).await.unwrap();
    assert_eq!(imported.code, Some(0), "{}{}", imported.stdout, imported.stderr);
    second.plan().await.unwrap().is_empty_plan();
    world.ledger().withdraw(denied);
    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_off_keeps_no_cluster_from_being_imported() {
    let world = World::start().await;
    let first = world.workspace(Kind::OpenTofu, &Configuration::cluster(world.cidr()));
    first.apply().await.unwrap().succeeds();
    let cluster = first.attributes("inferadb_cluster.demo").await.unwrap();
    let instance = cluster["nodes"]["general-0"]["instance_id"].as_str().unwrap();
    checks::ec2(&world, &format!("stop_instances(InstanceIds=['{instance}'])")).await;

    let second = first.copy().unwrap();
    import(&second, "inferadb_region.nyc1", "test/nyc1").await;
    import(&second, "inferadb_cluster.demo", "test/nyc1/demo").await;
    second.plan().await.unwrap().has_changes().warns(&["1 node to", "general-0"]);
    second.apply_plan().await.unwrap().succeeds();
    second.plan().await.unwrap().is_empty_plan();
    let mended = second.attributes("inferadb_cluster.demo").await.unwrap();
    assert_eq!(mended["nodes"]["general-0"]["instance_id"], instance, "the machine that was off is turned on");
    second.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
