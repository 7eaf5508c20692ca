//! A subnet router's first boot, with other programs in the place of AWS' and Tailscale's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};
use tokio::process::Command;

/// What a new instance is given to run.
async fn user_data() -> String {
    let workspace = Workspace::new(Tool::find(Kind::Terraform).unwrap(), Install::Nothing, Vec::new()).unwrap();
    let template = repository().join("terraform/modules/tailscale-subnet-router/start.sh.tftpl");
    let question = format!(
        "output \"it\" {{\n  value = templatefile({template:?}, {{ hostname = \"test-a\", auth_key_parameter = \"/test/key\", \
         routes = \"10.10.0.0/16\", tags = \"tag:subnet-router\" }})\n}}\n",
        template = template.display().to_string()
    );
    workspace.write("main.tf", &question).unwrap();
    assert_eq!(workspace.run(&["apply", "-auto-approve", "-json"]).await.unwrap().code, Some(0));
    workspace.run(&["output", "-raw", "it"]).await.unwrap().stdout
}

/// What the script writes into a file of its own.
fn written<'a>(script: &'a str, mark: &str) -> &'a str {
    let (_, rest) = script.split_once(&format!("<<'{mark}'\n")).unwrap();
    rest.split_once(&format!("\n{mark}\n")).unwrap().0
}

fn program(folder: &Path, name: &str, does: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >> {}\n{does}\n", folder.join("log").display())).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_joins_when_its_key_comes_after_it() {
    let script = user_data().await;
    let unit = written(&script, "UNIT");
    for line in ["Restart=on-failure", "StartLimitIntervalSec=0", "ExecStart=/usr/local/sbin/join-tailnet"] {
        assert!(unit.lines().any(|here| here == line), "{line}: {unit}");
    }

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let join = written(&script, "JOIN").replace("/run/", &format!("{at}/")).replace("/var/lib/tailscale/", &format!("{at}/"));
    for name in ["dnf", "systemctl"] {
        program(folder.path(), name, "");
    }
    program(folder.path(), "curl", "echo us-east-1");
    program(folder.path(), "aws", &format!("cat {at}/parameter"));
    program(folder.path(), "tailscale", &format!("cp {at}/tailscale-auth-key {at}/used"));
    let run = async || {
        let mut shell = Command::new("bash");
        shell.args(["-c", &join]).env("PATH", format!("{at}:{}", std::env::var("PATH").unwrap()));
        shell.output().await.unwrap()
    };
    let (joined, key) = (folder.path().join("joined"), folder.path().join("tailscale-auth-key"));

    assert!(!run().await.status.success(), "there is no key");
    assert!(!joined.exists() && !key.exists());
    fs::write(folder.path().join("parameter"), "tskey-test\n").unwrap();
    let done = run().await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(joined.exists() && !key.exists(), "and the key does not stay");
    assert_eq!(fs::read_to_string(folder.path().join("used")).unwrap(), "tskey-test\n");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("tailscale up ").count(), 1, "{log}");
    for part in ["--region us-east-1", "--name /test/key", "--advertise-routes=10.10.0.0/16", "--hostname=test-a"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}
