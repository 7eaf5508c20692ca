//! Modules that use the cloud's own provider: their tests pass, and their examples are made, found unchanged and removed,
//! in front of a provider with the real one's schemas.

use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};

use crate::cloud_provider::CloudProvider;
use crate::tree::{Folder, folders, read};

/// Those of the modules that use `hashicorp/aws`.
fn modules() -> Vec<String> {
    let uses_aws = |module: &String| read(&format!("terraform/modules/{module}/versions.tf")).contains("hashicorp/aws");
    folders("terraform/modules").into_iter().filter(uses_aws).collect()
}

async fn lives_and_goes(tree: &Folder, folder: &str, more: &[&str]) {
    tree.get(folder).await;
    tree.apply(folder, more).await.succeeds();
    tree.plan(folder, more).await.is_empty_plan();
    tree.destroy(folder, more).await.succeeds();
}

async fn they_live_and_go(kind: Kind) {
    let cloud = CloudProvider::start().await;
    let environment = vec![("TF_REATTACH_PROVIDERS".to_owned(), cloud.reattach(kind))];
    let tree = Folder::copied(Workspace::new(Tool::find(kind).unwrap(), Install::Nothing, environment).unwrap());
    let modules = modules();
    assert!(modules.len() >= 5, "{modules:?}");
    for module in modules {
        let folder = format!("modules/{module}");
        tree.tests_pass(&folder).await;
        lives_and_goes(&tree, &format!("{folder}/examples/complete"), &[]).await;
    }
    lives_and_goes(&tree, "account", &["-var=state_bucket=inferadb-test-states"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_on_the_clouds_own_provider_with_terraform() {
    they_live_and_go(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_on_the_clouds_own_provider_with_opentofu() {
    they_live_and_go(Kind::OpenTofu).await;
}

/// Else the tests above would say little.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_clouds_own_provider_does_not_know_is_refused() {
    let cloud = CloudProvider::start().await;
    let environment = vec![("TF_REATTACH_PROVIDERS".to_owned(), cloud.reattach(Kind::Terraform))];
    let workspace = Workspace::new(Tool::find(Kind::Terraform).unwrap(), Install::Nothing, environment).unwrap();
    let bucket = read("terraform/modules/state-backend/main.tf");
    workspace.write("variables.tf", &read("terraform/modules/state-backend/variables.tf")).unwrap();
    for (right, wrong, said) in [
        ("force_destroy = false", "force_destory = false", "force_destory"),
        ("restrict_public_buckets = true", "restrict_public_buckets = \"perhaps\"", "bool"),
        ("versioning_configuration {", "versioning {", "versioning"),
        ("  bucket = aws_s3_bucket.this.bucket\n\n  block_public_acls", "  block_public_acls", "\"bucket\" is required"),
    ] {
        assert!(bucket.contains(right), "{right}");
        workspace.write("main.tf", &bucket.replace(right, wrong)).unwrap();
        let outcome = workspace.run(&["validate", "-no-color"]).await.unwrap();
        assert!(outcome.code == Some(1) && outcome.stderr.contains(said), "{wrong}: {}{}", outcome.stdout, outcome.stderr);
    }
    workspace.write("main.tf", &bucket).unwrap();
    let outcome = workspace.run(&["validate", "-no-color"]).await.unwrap();
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
}
