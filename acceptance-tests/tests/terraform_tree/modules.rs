//! Each module on our own provider: its tests pass, and its example is made, found unchanged, and removed.

use acceptance_tests::terraform::Kind;
use acceptance_tests::terraform::workspace::Install;

use crate::tree::{Tree, files, folders};

/// A module, and what its example has to be told to be destroyed.
async fn lives_and_goes(module: &str, kind: Kind, before_destroy: &[&str]) {
    let mut tree = Tree::in_a_sandbox(kind, Install::Override).await;
    let [first, second] = tree.ranges();
    let whole = tree.sandbox.vpc_cidr().to_string();
    tree.set("TF_VAR_cidr_block", whole);
    tree.set("TF_VAR_cidr_blocks", format!(r#"{{"nyc1": "{first}", "sfo1": "{second}"}}"#));

    let folder = format!("modules/{module}");
    tree.tests_pass(&folder).await;
    tree.is_empty().await;

    let example = format!("{folder}/examples/complete");
    tree.get(&example).await;
    tree.apply(&example, &[]).await.succeeds();
    tree.plan(&example, &[]).await.is_empty_plan();
    if !before_destroy.is_empty() {
        tree.destroy(&example, &[]).await.fails().says(&["deletion_protection"]);
        tree.apply(&example, before_destroy).await.succeeds();
    }
    tree.destroy(&example, before_destroy).await.succeeds();
    tree.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_with_terraform() {
    lives_and_goes("region", Kind::Terraform, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_with_opentofu() {
    lives_and_goes("region", Kind::OpenTofu, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talos_cluster_with_terraform() {
    lives_and_goes("talos-cluster", Kind::Terraform, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talos_cluster_with_opentofu() {
    lives_and_goes("talos-cluster", Kind::OpenTofu, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_store_with_terraform() {
    lives_and_goes("fdb-backup", Kind::Terraform, &["-var=deletion_protection=false"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_store_with_opentofu() {
    lives_and_goes("fdb-backup", Kind::OpenTofu, &["-var=deletion_protection=false"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regional_stack_with_terraform() {
    lives_and_goes("regional-stack", Kind::Terraform, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regional_stack_with_opentofu() {
    lives_and_goes("regional-stack", Kind::OpenTofu, &[]).await;
}

#[test]
fn every_module_has_the_same_files() {
    for module in folders("terraform/modules") {
        let here = format!("terraform/modules/{module}");
        // A template for a machine's first boot may stand beside them.
        let mut own = files(&here);
        own.retain(|file| file != "start.sh.tftpl");
        assert_eq!(own, ["README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf"], "{here}");
        assert_eq!(files(&format!("{here}/examples/complete")), ["main.tf", "versions.tf"], "{here}");
        assert_eq!(files(&format!("{here}/tests")), ["bad_input.tftest.hcl", "lifecycle.tftest.hcl"], "{here}");
    }
}
