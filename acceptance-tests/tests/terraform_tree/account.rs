//! The tree as it is in somebody's AWS account: with AWS' own provider beside ours, and with what `terraform.tfvars` leaves out.

use std::fs;

use acceptance_tests::terraform::Kind;
use acceptance_tests::terraform::workspace::Install;

use crate::cloud_provider::CloudProvider;
use crate::tree::Tree;

/// What everybody writes into this file beside an environment's `terraform.tfvars`.
pub(crate) const FILE: &str = "account.auto.tfvars";

/// The sandbox's account, and the addresses that it hands out.
pub(crate) const VALUES: &str = r#"
allowed_account_ids          = ["123456789012"]
kubernetes_api_allowed_cidrs = ["127.0.0.0/8"]
talos_api_allowed_cidrs      = ["127.0.0.0/8"]
"#;

/// The tree in front of a sandbox, and the provider that knows the schemas of AWS'; it serves as long as the value lives.
pub(crate) async fn in_an_account(kind: Kind, install: Install) -> (Tree, CloudProvider) {
    let mut tree = Tree::in_a_sandbox(kind, install).await;
    let cloud = CloudProvider::start().await;
    tree.set("TF_REATTACH_PROVIDERS", cloud.reattach(kind));
    for environment in ["staging", "production"] {
        fs::write(tree.path().join("terraform/environments").join(environment).join(FILE), VALUES).unwrap();
    }
    (tree, cloud)
}
