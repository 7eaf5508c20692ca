//! What the other tests stand on: that a command's outcome is read as it is, from both programs.

use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Error, Kind, Workspace, process};
use std::time::Duration;

use crate::world::tool;

const CONFIGURATION: &str = r#"
variable "wanted" {
  type    = number
  default = 1

  validation {
    condition     = var.wanted > 0
    error_message = "wanted must be positive"
  }
}

resource "terraform_data" "thing" {
  input = var.wanted
}
"#;

fn workspace(kind: Kind) -> Workspace {
    let workspace = Workspace::new(tool(kind), Install::Nothing, Vec::new()).unwrap();
    workspace.write("main.tf", CONFIGURATION).unwrap();
    workspace
}

async fn outcomes_are_read(kind: Kind) {
    let workspace = workspace(kind);
    let plan = workspace.plan().await.unwrap().has_changes();
    assert_eq!(plan.planned().get("terraform_data.thing").map(String::as_str), Some("create"));
    workspace.apply_plan().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    assert_eq!(workspace.attributes("terraform_data.thing").await.unwrap()["input"], 1);

    workspace.write("terraform.tfvars", "wanted = 0\n").unwrap();
    workspace.plan().await.unwrap().fails().says(&["wanted must be positive"]);

    workspace.write("terraform.tfvars", "wanted = 2\n").unwrap();
    let plan = workspace.plan().await.unwrap().has_changes();
    assert_eq!(plan.planned().get("terraform_data.thing").map(String::as_str), Some("update"));
    workspace.destroy().await.unwrap().succeeds();
    assert!(workspace.attributes("terraform_data.thing").await.unwrap().is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_says_is_read() {
    outcomes_are_read(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opentofu_says_is_read() {
    outcomes_are_read(Kind::OpenTofu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_hangs_is_ended_with_all_its_children() {
    let workspace = workspace(Kind::Terraform);
    let hanging = r#"
resource "terraform_data" "hangs" {
  provisioner "local-exec" {
    command = "echo $$ > child; exec sleep 600"
  }
}
"#;
    workspace.write("hanging.tf", hanging).unwrap();
    let run = workspace.start(&["apply", "-json", "-auto-approve"]).unwrap();
    let terraform = run.process();
    let Err(error) = run.finish(Duration::from_secs(5)).await else { panic!("it should hang") };
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(process::gone(terraform, Duration::from_secs(5)).await.is_some());
    let child = std::fs::read_to_string(workspace.path().join("child")).unwrap();
    assert!(process::gone(child.trim().parse().unwrap(), Duration::from_secs(5)).await.is_some());
}
