//! `new-region` on a copy of this repository's tree: what it makes is what stands there by hand, builds and validates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

#[path = "support/regions.rs"]
mod regions;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use support::{Ran, Repo};

const LONDON: [&str; 5] = ["new-region", "lon1", "--provider=aws", "--env=staging", "--cidr=10.50.0.0/16"];

/// The tree with its first regions, in a repository of its own.
fn tree() -> Repo {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let repo = Repo::new(&[]);
    for folder in ["flux", "terraform", "talos", "docs", "versions.yaml"] {
        copy(&root.join(folder), &repo, folder);
    }
    regions::keep_the_first(repo.path());
    repo.commit();
    repo
}

/// Copies what git would, but for the plugin itself.
fn copy(from: &Path, repo: &Repo, to: &str) {
    if from.is_file() {
        repo.write(to, &std::fs::read_to_string(from).unwrap());
        return;
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        if !matches!(name.as_str(), ".terraform" | ".terraform.lock.hcl" | "plugins" | "account.auto.tfvars") {
            copy(&entry.unwrap().path(), repo, &format!("{to}/{name}"));
        }
    }
}

/// All files, by path.
fn files(repo: &Repo) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![repo.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with(".git") {
                    folders.push(path);
                }
            } else {
                let name = path.strip_prefix(repo.path()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

fn read(repo: &Repo, path: &str) -> String {
    std::fs::read_to_string(repo.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn edit(repo: &Repo, path: &str, from: &str, to: &str) {
    let text = read(repo, path);
    assert!(text.contains(from), "{path}: {from}");
    repo.write(path, &text.replace(from, to));
}

fn made(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// Claims that the command refuses, says so, and leaves everything as it was.
fn refuses(repo: &Repo, arguments: &[&str], saying: &[&str]) {
    let before = files(repo);
    let ran = repo.run(&[&["new-region"], arguments].concat());
    assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.out);
    for words in saying {
        assert!(ran.err.contains(words), "{arguments:?}: `{words}` is not in {}", ran.err);
    }
    assert_eq!(ran.out, "");
    assert!(files(repo) == before, "{arguments:?}: something was changed");
}

fn validates(repo: &Repo) {
    let ran = repo.run(&["validate", "--vars", "flux/bootstrap.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// The settings of a cluster, as it gets them.
fn told(repo: &Repo, cluster: &str) -> Value {
    let built = repo.build(&[cluster]);
    let kustomizations = built["clusters"][0]["kustomizations"].as_array().unwrap();
    let names: BTreeSet<_> = kustomizations.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["apps", "configs", "controllers", "flux-system", "sources"]));
    for one in kustomizations {
        assert!(one["error"].is_null(), "{one:#}");
    }
    support::object(support::kustomization(&built, cluster, "flux-system"), "ConfigMap", "cluster-settings")["data"].clone()
}

/// Staging's second region, taken away and made again, is what it was.
#[test]
fn a_region_is_what_a_person_would_have_written() {
    let repo = tree();
    let was = files(&repo);
    for folder in ["flux/clusters/staging-sfo1", "terraform/regions/sfo1"] {
        std::fs::remove_dir_all(repo.path().join(folder)).unwrap();
    }
    repo.remove("terraform/environments/staging/drill.tfvars");
    let regions = "terraform/environments/staging/regions.tf";
    edit(&repo, regions, "module \"sfo1\" {\n  source = \"../../regions/sfo1/aws\"\n}\n\n", "");
    edit(&repo, regions, ", module.sfo1.region", "");
    // No cluster of sfo1 in production either, whose ranges are not free.
    made(&repo.run(&[
        "new-region",
        "sfo1",
        "--provider=aws",
        "--env=staging",
        "--provider-region=us-west-2",
        "--backup-replica-region=us-east-1",
    ]));
    let now = files(&repo);
    for (path, text) in &was {
        if path.starts_with("flux/") || path.starts_with("terraform/") && !path.ends_with("/drill.tfvars") {
            assert_eq!(now.get(path), Some(text), "{path}");
        }
    }
    let entry = "sfo1 = { cidr_block = \"10.40.0.0/16\", pod_cidr = \"10.140.0.0/16\", service_cidr = \"10.240.0.0/16\", failover = \"SECONDARY\" }";
    assert!(read(&repo, "terraform/environments/staging/sfo1.tfvars").contains(entry));
}

#[test]
fn a_new_region_builds_validates_and_says_what_is_left() {
    let repo = tree();
    let ran = repo.run(&LONDON);
    made(&ran);
    let told = told(&repo, "staging-lon1");
    for (key, value) in [
        ("CLUSTER_NAME", "staging-lon1"),
        ("CLUSTER_ROLE", "secondary"),
        ("PROVIDER_REGION", "eu-west-2"),
        ("ZONES", "eu-west-2a,eu-west-2b,eu-west-2c"),
        ("POD_CIDR", "10.150.0.0/16"),
        (
            "FDB_BACKUP_URL",
            "blobstore://@s3.eu-west-2.amazonaws.com/staging-lon1?bucket=inferadb-staging-lon1-fdb-backup&region=eu-west-2&secure_connection=1",
        ),
        ("METRICS_RETENTION_DAYS", "90"),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    validates(&repo);
    // The pages that list clusters and ranges.
    let parity = read(&repo, "docs/environment-parity.md");
    for (key, value) in told.as_object().unwrap() {
        let row = parity.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
        assert!(row.ends_with(&format!("| {} |", value.as_str().unwrap())), "{row}");
    }
    assert!(
        read(&repo, "docs/adding-regions.md").contains("| 10.50.0.0/16 | 10.150.0.0/16 | 10.250.0.0/16 | lon1 | staging |\n")
    );
    let steps = ran.out.split("\nleft to do:\n").nth(1).unwrap();
    for step in [
        "1. Look whether",
        "   $ aws ssm put-parameter --region eu-west-2 --name /inferadb/staging/tailscale --type SecureString",
        "   $ terraform -chdir=terraform/environments/staging apply -var-file=lon1.tfvars\n",
        "   $ GIT_PASSWORD=$TOKEN SOPS_AGE_KEY_FILE=staging-lon1.agekey scripts/flux-bootstrap.sh staging-lon1\n",
        "6. Bring the Secret `route53`",
    ] {
        assert!(steps.contains(step), "{step}: {steps}");
    }
    // What is there is not written a second time.
    refuses(
        &repo,
        &LONDON[1..],
        &["the module `lon1`", "`terraform/environments/staging/lon1.tfvars`", "`flux/clusters/staging-lon1`"],
    );
}

#[test]
fn a_dry_run_prints_the_patch_and_writes_nothing() {
    let repo = tree();
    let before = files(&repo);
    let dry = repo.run(&[&LONDON[..], &["--dry-run"]].concat());
    made(&dry);
    assert!(files(&repo) == before);
    let other = tree();
    other.write("new.patch", &dry.out);
    other.git(&["apply", "new.patch"]);
    other.remove("new.patch");
    made(&repo.run(&LONDON));
    assert_eq!(files(&other), files(&repo));
}

#[test]
fn what_cannot_be_named_so_is_refused() {
    let repo = tree();
    let long = "n".repeat(25);
    for name in ["Lon1", "lon_1", "-lon", "1lon", "lon-", "../lon1", "", "for", long.as_str()] {
        refuses(&repo, &["--provider=aws", "--env=staging", "--", name], &["no name for a region", "1 to 24"]);
    }
    // Terraform has modules of these names there, and a file.
    for name in ["stack", "tailscale", "nyc1", "drill", "terraform"] {
        refuses(&repo, &[name, "--provider=aws", "--env=staging", "--provider-region=eu-west-1"], &["there already"]);
    }
    refuses(
        &repo,
        &["fra1", "--provider=aws", "--env=staging"],
        &["`fra1` stands for no region", "`lon1` (eu-west-2)", "--provider-region"],
    );
    refuses(
        &repo,
        &["fra1", "--provider=aws", "--env=staging", "--provider-region=frankfurt"],
        &["`--provider-region frankfurt`"],
    );
}

#[test]
fn an_environment_that_cannot_have_it_says_why() {
    let repo = tree();
    refuses(&repo, &["lon1", "--provider=aws", "--env=test"], &["`test`", "`dev`, `production`, `staging`"]);
    refuses(&repo, &["lon1", "--provider=docker", "--env=dev"], &["terraform/environments/dev/regions.tf", "takes no regions"]);
    refuses(
        &repo,
        &["lon1", "--provider=aws", "--env=production"],
        &["`nyc1` and `sfo1`", "a third region", "docs/adding-regions.md"],
    );
    for provider in ["gcp", "digitalocean", "docker"] {
        refuses(&repo, &["lon1", "--provider", provider, "--env=staging"], &["`aws` only", provider]);
    }
    refuses(
        &repo,
        &["bjs1", "--provider=aws", "--env=staging", "--provider-region=cn-north-1", "--backup-replica-region=cn-northwest-1"],
        &["different partitions"],
    );
    refuses(&repo, &["lon1", "--provider=azure", "--env=staging"], &["possible values: aws, gcp, digitalocean, docker"]);
    for folder in ["flux/clusters/staging-nyc1", "flux/clusters/staging-sfo1"] {
        std::fs::remove_dir_all(repo.path().join(folder)).unwrap();
    }
    refuses(
        &repo,
        &["lon1", "--provider=aws", "--env=staging"],
        &["no cluster of the environment `staging`", "cluster_settings"],
    );
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let repo = tree();
    let london = |options: &[&str], saying: &[&str]| {
        refuses(&repo, &[&["lon1", "--provider=aws", "--env=staging"], options].concat(), saying);
    };
    london(
        &["--cidr=10.20.0.0/16"],
        &[
            "the network `10.20.0.0/16` meets `10.20.0.0/16`, of `sfo1` in `terraform/environments/production/terraform.tfvars`",
            "--cidr",
        ],
    );
    // Dev's pods, which only its cluster is told.
    london(
        &["--cidr=10.50.0.0/16", "--pod-cidr=10.105.128.0/20"],
        &["flux/clusters/dev-local/cluster-settings.yaml", "--pod-cidr"],
    );
    london(&["--cidr=10.50.3.0/16"], &["did you mean `10.50.0.0/16`"]);
    london(&["--zones=eu-west-2a,eu-west-2b"], &["three zones of `eu-west-2`"]);
    london(&["--zones=eu-west-2a,eu-west-2b,eu-west-1c"], &["three zones of `eu-west-2`"]);
    london(&["--backup-replica-region=eu-west-2"], &["the region itself"]);
    london(&["--provider-region=us-west-1"], &["two zones"]);
    edit(&repo, "flux/clusters/staging-sfo1/cluster-settings.yaml", "FDB_VOLUME_SIZE: \"64Gi\"", "FDB_VOLUME_SIZE: \"32Gi\"");
    london(&[], &["`staging-nyc1` and `staging-sfo1`", "`FDB_VOLUME_SIZE`"]);
    edit(&repo, "flux/clusters/staging-sfo1/cluster-settings.yaml", "FDB_VOLUME_SIZE: \"32Gi\"", "FDB_VOLUME_SIZE: \"64Gi\"");
    repo.write(
        "flux/clusters/staging-nyc1/secret.yaml",
        "apiVersion: v1\nkind: Secret\nsops:\n    mac: ENC[AES256_GCM,data:x]\n",
    );
    london(&[], &["`flux/clusters/staging-nyc1/secret.yaml` is encrypted"]);
}

/// A region that was alone is the primary from then on, and one that another environment has is the same there.
#[test]
fn an_environment_with_one_region_gets_its_pair() {
    let repo = tree();
    let values = "terraform/environments/production/terraform.tfvars";
    let sfo1 = "  sfo1 = { cidr_block = \"10.20.0.0/16\", pod_cidr = \"10.120.0.0/16\", service_cidr = \"10.220.0.0/16\", failover = \"SECONDARY\" }\n";
    edit(&repo, values, sfo1, "");
    edit(&repo, values, ", failover = \"PRIMARY\" }", " }");
    made(&repo.run(&["new-region", "london", "--provider=aws", "--env=staging", "--provider-region=eu-west-2"]));
    let other = ["new-region", "london", "--provider=aws", "--env=production"];
    refuses(
        &repo,
        &[&other[1..], &["--provider-region=eu-west-1"]].concat(),
        &["terraform/regions/london/aws/variables.tf", "eu-west-2"],
    );
    made(&repo.run(&other));
    let written = read(&repo, "terraform/environments/production/london.tfvars");
    assert!(written.contains("  nyc1   = { cidr_block = \"10.10.0.0/16\", pod_cidr = \"10.110.0.0/16\", service_cidr = \"10.210.0.0/16\", failover = \"PRIMARY\" }\n"), "{written}");
    assert!(written.contains("  london = { cidr_block = \"10.1.0.0/16\""), "{written}");
    let (staging, production) = (told(&repo, "staging-london"), told(&repo, "prod-london"));
    assert_eq!(staging["ZONES"], production["ZONES"]);
    assert_eq!(production["FDB_NODES"], "9");
    assert_eq!(production["FDB_BACKUP_BUCKET"], "inferadb-production-london-fdb-backup");
    validates(&repo);
}

/// Whatever the names, in whatever order: all clusters build, and no two regions share an address.
#[test]
fn regions_of_any_names_build() {
    let name = "[a-z]([a-z0-9-]{0,22}[a-z0-9])?";
    let taken = ["stack", "tailscale", "observability", "nyc1", "sfo1", "drill", "terraform", "for"];
    let strategy = proptest::collection::btree_set(name.prop_filter("free", move |name| !taken.contains(&name.as_str())), 1..5);
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let ran = runner.run(
        &(strategy, proptest::sample::select(&["us-east-2", "eu-central-1", "ap-southeast-2"][..])),
        |(names, region)| {
            let repo = tree();
            let region = format!("--provider-region={region}");
            for name in &names {
                let ran = repo.run(&[
                    "new-region",
                    "--provider=aws",
                    "--env=staging",
                    &region,
                    "--backup-replica-region=us-west-2",
                    name,
                ]);
                prop_assert_eq!(ran.code, 0, "{}", ran.err);
            }
            let clusters: Vec<Value> = names.iter().map(|name| told(&repo, &format!("staging-{name}"))).collect();
            let ranges: BTreeSet<&str> = clusters.iter().map(|told| told["NETWORK_CIDR"].as_str().unwrap()).collect();
            prop_assert_eq!(ranges.len(), names.len());
            validates(&repo);
            Ok(())
        },
    );
    ran.unwrap();
}
