//! Bad input is an error that names the attribute, in the plan, and nothing is made.

use std::sync::{OnceLock, mpsc};

use acceptance_tests::terraform::{Kind, Workspace};

use crate::configuration::Configuration;
use crate::world::World;

/// One sandbox for all plans: none of them may change it.
fn shared() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        // The sandbox's tasks live on the runtime that it was started on, and tests end theirs.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async move {
                sender.send(World::start().await).ok().unwrap();
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().unwrap()
    })
}

/// Claims that the plan fails with an error that holds all of these words, and that the cloud saw no change.
async fn plan_is_refused(configuration: impl Fn(&World) -> Configuration, words: &[&str]) {
    let world = shared();
    let workspace = world.workspace(Kind::Terraform, &configuration(world));
    workspace.plan().await.unwrap().fails().says(words);
    world.unchanged_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_even_number_of_control_plane_nodes_is_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| it.control_plane = 2),
        &["count", "expected 1, 3, 5 or 7"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_control_plane_nodes_are_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| it.control_plane = 0),
        &["count", "expected 1, 3, 5 or 7"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_type_is_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| "m99.huge".clone_into(&mut it.control_plane_type)),
        &["machine_type", "m99.huge"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_type_that_cannot_start_the_image_is_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| it.control_plane_type = "t2.medium".to_owned()),
        &["`t2.medium` cannot start", "UEFI"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_too_small_is_refused() {
    plan_is_refused(|_| Configuration::region("127.10.0.0/24"), &["cidr_block", "too small"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_meets_the_pods_is_refused() {
    plan_is_refused(|_| Configuration::region("10.244.0.0/16"), &["cidr_block", "10.244.0.0/16", "pods"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_meets_the_services_is_refused() {
    plan_is_refused(|_| Configuration::region("10.100.0.0/16"), &["cidr_block", "10.96.0.0/12", "services"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_meet_the_services_are_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| "pod_cidr = \"10.97.0.0/16\"".clone_into(&mut it.extra)),
        &["pod_cidr", "10.97.0.0/16", "10.96.0.0/12"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_meet_a_network_planned_beside_them_are_refused() {
    plan_is_refused(
        |world| {
            let pods = format!("pod_cidr = \"{}\"", world.cidr());
            Configuration::cluster(world.cidr()).with_cluster(|it| it.extra = pods)
        },
        &["pod_cidr", "the region's network"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_region_name_is_refused() {
    plan_is_refused(
        |world| Configuration::region(world.cidr()).with(|it| "mars1".clone_into(&mut it.region_name)),
        &["name", "mars1"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_half_of_a_failover_pair_is_refused() {
    plan_is_refused(
        |world| {
            Configuration::region(world.cidr())
                .with(|it| "dns {\n zone = \"inferadb.com\"\n failover = \"TERTIARY\"\n }".clone_into(&mut it.region_extra))
        },
        &["failover", "TERTIARY"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_talos_version_is_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| "1.13".clone_into(&mut it.talos_version)),
        &["talos_version", "1.13"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_kubernetes_version_is_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| "latest".clone_into(&mut it.kubernetes_version)),
        &["kubernetes_version", "latest"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubernetes_version_that_talos_does_not_support_is_refused() {
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| "1.29.0".clone_into(&mut it.kubernetes_version)),
        &["kubernetes_version", "1.31"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_no_machine_could_boot_from_is_refused_with_its_size() {
    let sans: Vec<String> = (0..8000_u32).map(|n| format!("\"{:08x}.example.com\"", n.wrapping_mul(2_654_435_761))).collect();
    plan_is_refused(
        |world| {
            let extra = format!("cert_sans = [{}]", sans.join(", "));
            Configuration::cluster(world.cidr()).with_cluster(|it| it.extra = extra)
        },
        &["the control plane is too large to boot from", "16384"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_that_serve_one_ingress_are_refused() {
    let other = r#"ingress = true
}

resource "inferadb_cluster" "other" {
  name               = "other"
  region_id          = inferadb_region.nyc1.id
  talos_version      = "v1.13.9"
  kubernetes_version = "1.35.4"
  ingress            = true

  control_plane {
    count        = 1
    machine_type = "medium"
  }"#;
    plan_is_refused(
        |world| Configuration::cluster(world.cidr()).with_cluster(|it| it.extra = other.to_owned()),
        &["serves the ingress of region `nyc1`", "ingress = false"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_are_refused_by_name() {
    for (extra, place) in [("config_patches = [null]", "config_patches[0]"), ("cert_sans = [null]", "cert_sans[0]")] {
        plan_is_refused(
            |world| Configuration::cluster(world.cidr()).with_cluster(|it| it.extra = extra.to_owned()),
            &["holds a null", place],
        )
        .await;
    }
    plan_is_refused(
        |world| Configuration::region(world.cidr()).with(|it| it.region_extra = "dns {\n zone = null\n }".to_owned()),
        &["`zone` is null", "dns.zone"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_is_not_yaml_is_refused() {
    plan_is_refused(
        |world| {
            Configuration::cluster(world.cidr()).with_cluster(|it| "config_patches = [\"machine: [\"]".clone_into(&mut it.extra))
        },
        &["config_patches"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_with_a_field_that_talos_does_not_know_is_refused() {
    plan_is_refused(
        |world| {
            Configuration::cluster(world.cidr()).with_cluster(|it| {
                "config_patches = [yamlencode({ machine = { sysctl = { a = \"b\" } } })]".clone_into(&mut it.extra);
            })
        },
        &["config_patches", "sysctl"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_named_with_where_they_are_looked_for() {
    let world = shared();
    let mut workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    workspace.unset("AWS_ACCESS_KEY_ID");
    workspace.unset("AWS_SECRET_ACCESS_KEY");
    workspace.plan().await.unwrap().fails().says(&["credentials", "AWS_ACCESS_KEY_ID", "profile"]);
    world.unchanged_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_an_account_that_is_not_allowed_are_refused() {
    plan_is_refused(
        |world| {
            Configuration::region(world.cidr())
                .with(|it| "allowed_account_ids = [\"999999999999\"]".clone_into(&mut it.provider_extra))
        },
        &["allowed_account_ids", "123456789012", "999999999999"],
    )
    .await;
}

/// A region that stands, for what is wrong only beside another.
async fn with_a_region() -> (World, Workspace, Configuration) {
    let world = World::start().await;
    let configuration = Configuration::region(world.cidr());
    let workspace = world.workspace(Kind::OpenTofu, &configuration);
    workspace.apply().await.unwrap().succeeds();
    (world, workspace, configuration)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_meets_another_region_is_refused() {
    let (world, _first, configuration) = with_a_region().await;
    let number = world.ledger().newest();
    let second = configuration.with(|it| {
        "nyc2".clone_into(&mut it.region_name);
        "provider_region = \"us-east-1\"".clone_into(&mut it.region_extra);
    });
    let workspace = world.workspace(Kind::Terraform, &second);
    workspace.plan().await.unwrap().fails().says(&["cidr_block", &world.cidr(), "nyc1"]);
    world.unchanged_since(number);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_another_account_than_the_rows_is_refused() {
    let (world, mut workspace, _) = with_a_region().await;
    let number = world.ledger().newest();
    for (name, value) in world.aws().env_of(1) {
        workspace.set(&name, value);
    }
    workspace.plan().await.unwrap().fails().says(&["123456789012", "210987654321"]);
    world.unchanged_since(number);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_another_environment_than_the_rows_is_refused() {
    let (world, workspace, configuration) = with_a_region().await;
    let number = world.ledger().newest();
    workspace.write("main.tf", &configuration.with(|it| "staging".clone_into(&mut it.environment)).hcl()).unwrap();
    workspace.plan().await.unwrap().fails().says(&["environment", "test", "staging"]);
    world.unchanged_since(number);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dns_zone_that_does_not_exist_is_refused_before_anything_is_made() {
    let world = World::start().await;
    let configuration = Configuration::region(world.cidr())
        .with(|it| "dns {\n    zone   = \"nobody.example\"\n    record = \"api\"\n  }".clone_into(&mut it.region_extra));
    let workspace = world.workspace(Kind::OpenTofu, &configuration);
    workspace.apply().await.unwrap().fails().says(&["nobody.example"]);
    world.unchanged_since(0);
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dns_record_that_holds_its_zone_is_refused() {
    plan_is_refused(
        |world| {
            Configuration::region(world.cidr()).with(|it| {
                "dns {\n zone = \"inferadb.com\"\n record = \"api.inferadb.com\"\n }".clone_into(&mut it.region_extra);
            })
        },
        &["record", "`api.inferadb.com.inferadb.com`", "record = \"api\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dns_zone_that_is_not_there_is_warned_of() {
    let world = shared();
    let configuration = Configuration::region(world.cidr())
        .with(|it| "dns {\n zone = \"no-such-zone.example\"\n }".clone_into(&mut it.region_extra));
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.plan().await.unwrap().has_changes().warns(&["There is no DNS zone `no-such-zone.example` yet"]);
    world.unchanged_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_account_id_is_refused() {
    plan_is_refused(
        |world| {
            Configuration::region(world.cidr()).with(|it| "allowed_account_ids = [\"abc\"]".clone_into(&mut it.provider_extra))
        },
        &["allowed_account_ids", "`abc`", "12 digits of an AWS account"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_no_arn_is_refused() {
    plan_is_refused(
        |world| {
            Configuration::region(world.cidr()).with(|it| {
                "aws {\n assume_role {\n role_arn = \"foo\"\n }\n }".clone_into(&mut it.provider_extra);
            })
        },
        &["role_arn", "`foo`", "arn:aws:iam::"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_no_url_is_refused_without_a_try() {
    let world = shared();
    let mut workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    workspace.set("AWS_ENDPOINT_URL", "foo");
    workspace.plan().await.unwrap().fails().says(&["AWS_ENDPOINT_URL", "`foo` is not a URL", "in the environment"]);
    world.unchanged_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_told_in_words() {
    let world = shared();
    let mut workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
        workspace.unset(name);
    }
    workspace.set("AWS_EC2_METADATA_DISABLED", "true");
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        workspace.set(name, "/nonexistent");
    }
    let plan = workspace.plan().await.unwrap().fails().says(&["No credentials", "AWS_ACCESS_KEY_ID"]);
    for rust in ["CredentialsNotLoaded", "ProviderAttempt", "next apply"] {
        assert!(!plan.report().contains(rust), "`{rust}` is not for users: {}", plan.report());
    }
    world.unchanged_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_of_one_name_are_refused() {
    let world = shared();
    let hcl = Configuration::cluster(world.cidr()).hcl();
    let workspace = world.workspace(Kind::Terraform, &Configuration::cluster(world.cidr()));
    let second = &hcl[hcl.find("resource \"inferadb_cluster\"").unwrap()..];
    workspace.write("second.tf", &second.replacen("\"demo\"", "\"second\"", 1)).unwrap();
    workspace.plan().await.unwrap().fails().says(&["name", "Two `inferadb_cluster` are to be", "another name"]);
    world.unchanged_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_in_a_region_of_another_environment_is_refused_by_its_region_id() {
    let world = shared();
    let configuration = Configuration::region(world.cidr());
    let workspace = world.workspace(Kind::Terraform, &configuration);
    let backup =
        "resource \"inferadb_fdb_backup\" \"b\" {\n name = \"inferadb-b\"\n region_id = \"other/aws/us-east-1/nyc1\"\n}\n";
    workspace.write("backup.tf", backup).unwrap();
    let plan = workspace.plan().await.unwrap().fails().says(&["`region_id` names something of environment `other`", "alias"]);
    assert!(!plan.report().contains("row of state"), "{}", plan.report());
    let import = workspace.run(&["import", "-no-color", "inferadb_region.nyc1", "other/nyc1"]).await.unwrap();
    let said = import.stderr.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
    assert!(said.contains("The import id names something of environment `other`"), "{said}");
    world.unchanged_since(0);
}
