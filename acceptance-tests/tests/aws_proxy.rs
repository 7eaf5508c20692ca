//! The sandbox's cloud keeps AWS's rules. Its peer here is boto3, which is nobody's of ours: each case is a function of
//! the Python modules in `aws_proxy/`, named for the rule that it proves.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use acceptance_tests::control::Control;
use acceptance_tests::instance_feed::{InstanceHost, InstanceStarted, NoHost};
use acceptance_tests::ledger::{Fault, Injection, Ledger, Matcher, Outcome, Plane};
use acceptance_tests::world::{Sandbox, SandboxConfig};
use futures_util::future::BoxFuture;

type Env = Vec<(String, String)>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws_proxy")
}

fn env_of(sandbox: &Sandbox, account: usize) -> Env {
    let mut env = sandbox.env_of(account);
    env.push(("SANDBOX_NETWORK".to_owned(), sandbox.vpc_cidr().to_string()));
    env
}

/// One sandbox for all cases that leave it undisturbed, and one for those that look at what is not known yet; they end with the
/// process.
fn shared(function: &str) -> &'static Env {
    static PROMPT: OnceLock<Env> = OnceLock::new();
    static SLOW: OnceLock<Env> = OnceLock::new();
    let (env, config) = if function.contains("a_while") { (&SLOW, slow()) } else { (&PROMPT, SandboxConfig::default()) };
    env.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            runtime().block_on(async move {
                let sandbox = Sandbox::start_cloud(config).await.expect("a sandbox");
                sender.send(env_of(&sandbox, 0)).expect("somebody waits");
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("the sandbox started")
    })
}

/// A cloud that takes longer to know what it was told than any machine takes to ask it again.
fn slow() -> SandboxConfig {
    let mut config = SandboxConfig::default();
    let timing = &mut config.aws.timing;
    timing.visible_after = Duration::from_secs(3);
    timing.tags_after = Duration::from_secs(3);
    timing.role_usable_after = Duration::from_secs(3);
    timing.role_policy_gone_after = Duration::from_secs(3);
    config
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Runs a Python case to its end.
fn case(env: &Env, module: &str, function: &str) {
    static PLACE: AtomicU8 = AtomicU8::new(0);
    let python = runtime().block_on(acceptance_tests::python::interpreter()).expect("Python");
    let output = Command::new(python)
        .arg(folder().join("run.py"))
        .args([module, function])
        .envs(env.iter().cloned())
        .env("CASE_PLACE", PLACE.fetch_add(1, Ordering::Relaxed).to_string())
        .stdin(Stdio::null())
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

macro_rules! cases {
    ($module:ident: $($name:ident)*) => {
        mod $module {
            $(#[test] fn $name() { super::case(super::shared(stringify!($name)), stringify!($module), stringify!($name)); })*
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
        }
    };
}

cases! { network:
    a_new_object_shows_only_after_a_while
    changed_tags_show_only_after_a_while
    tags_of_what_is_not_there_are_refused
    reserved_tags_are_refused
    tags_of_another_kind_are_refused
    a_subnet_with_an_instance_stays_until_that_is_terminated
    a_group_that_an_instance_bears_stays
    a_group_that_another_names_stays
    a_group_that_names_itself_goes
    a_group_has_a_name_of_its_own_in_its_network
    a_rule_is_there_once
    odd_letters_in_descriptions_are_refused
    the_default_group_stays
    a_network_stays_while_anything_is_in_it
    a_gateway_stays_while_anything_has_a_public_address
    a_route_goes_to_a_gateway_of_the_same_network
    a_route_table_stays_while_a_subnet_uses_it
    long_lists_come_in_pages
    a_filter_on_a_tags_key_finds_what_bears_it
    subnets_of_a_network_do_not_overlap
    a_network_lies_where_the_sandbox_answers
}

cases! { instances:
    a_token_gives_the_same_instance
    a_token_is_known_in_its_zone_only
    a_token_gives_the_same_instance_even_when_it_is_terminated
    a_token_with_other_parameters_is_refused
    user_data_has_sixteen_kibibytes_before_base64
    user_data_comes_back
    an_instance_is_pending_first_and_has_its_public_address_after_it_runs
    a_filter_on_the_state_means_the_state_that_shows
    a_terminated_instance_is_in_no_network
    disks_and_interfaces_go_with_their_instance
    tags_reach_disk_and_interface
    a_full_subnet_takes_no_more
    a_root_disk_holds_its_image
    metadata_options_are_kept_and_checked
    a_group_of_another_network_is_refused
    an_unknown_machine_type_is_refused
    an_unknown_volume_type_is_refused
    a_machine_type_of_another_architecture_is_refused
    a_dry_run_does_nothing
    a_protected_instance_stays
    an_image_is_there_in_its_own_region_only
    a_look_alike_bears_the_same_name
    every_region_has_images
    a_deprecated_image_is_listed_only_when_it_is_asked_for
    a_type_runs_only_where_it_is_offered
    an_image_that_wants_uefi_runs_on_a_type_that_has_it
}

cases! { load_balancers:
    names_have_thirty_two_letters_digits_and_hyphens
    the_same_load_balancer_again_is_the_same
    the_same_target_group_again_is_the_same
    the_same_listener_again_is_the_same
    a_target_group_serves_one_load_balancer
    a_public_load_balancer_needs_a_gateway
    a_load_balancer_has_one_subnet_in_a_zone
    a_load_balancer_shows_and_is_active_after_a_while
    security_groups_come_with_the_load_balancer_or_never
    a_deleted_load_balancer_leaves_interfaces_for_a_while
    a_target_group_in_use_stays
    a_protected_load_balancer_stays
    unknown_attributes_are_refused
    client_addresses_are_kept_unless_told_otherwise
    thresholds_have_limits
    only_running_instances_are_registered
    lists_come_in_pages
    health_is_what_the_check_finds
    a_deregistered_target_drains_and_goes
    a_terminated_target_goes
    a_node_does_not_reach_itself_while_client_addresses_are_kept
    closed_security_groups_keep_a_target_unhealthy
    a_load_balancers_own_group_keeps_clients_out
    a_constrained_zone_takes_no_load_balancer
    tags_have_the_characters_that_load_balancing_takes
}

cases! { dns:
    a_caller_reference_gives_the_same_health_check
    a_caller_reference_is_never_used_again
    a_health_check_asks_every_ten_or_thirty_seconds
    a_change_is_pending_first
    a_record_is_created_once
    a_record_is_deleted_only_as_it_stands
    deleting_one_record_leaves_others_of_the_same_set
    there_is_one_primary
    a_simple_record_stands_alone
    an_alias_names_the_zone_of_its_load_balancer
    a_health_check_that_is_not_there_is_refused
    a_health_check_has_ten_tags
}

cases! { buckets:
    a_bucket_of_ours_is_told_as_ours
    in_us_east_1_a_bucket_of_ours_is_made_again_without_complaint
    a_bucket_is_made_where_it_was_asked_for
    odd_names_are_refused
    a_new_bucket_is_encrypted_and_private
    what_was_never_set_is_told_by_its_own_code
    a_buckets_settings_read_back_as_written
    objects_do_not_expire_before_they_move
    a_bucket_is_answered_for_by_its_own_region
    a_bucket_with_versions_in_it_stays
    a_bucket_for_tls_only_takes_objects
    a_policy_that_denies_tls_calls_too_is_kept_to
    a_policy_that_is_no_json_is_refused
    replication_needs_versions_at_both_ends
    a_role_can_be_used_only_after_a_while
    a_role_stays_until_a_while_after_its_policies
    a_new_role_shows_only_after_a_while
    a_buckets_policy_can_keep_its_owner_out
}

#[test]
fn no_case_is_forgotten() {
    let modules = [
        ("network", network::NAMES),
        ("instances", instances::NAMES),
        ("load_balancers", load_balancers::NAMES),
        ("dns", dns::NAMES),
        ("buckets", buckets::NAMES),
    ];
    for (module, names) in modules {
        let text = fs::read_to_string(folder().join(format!("{module}.py"))).expect("the module");
        let written: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("def ")?.split('(').next())
            .filter(|name| !name.starts_with('_'))
            .collect();
        assert_eq!(written, names.iter().copied().collect(), "in `{module}`");
    }
}

/// A sandbox of the test's own, which the test disturbs.
async fn own(config: SandboxConfig) -> Sandbox {
    Sandbox::start_cloud(config).await.expect("a sandbox")
}

/// Runs a case of `disturbed.py` beside the sandbox's own tasks.
async fn disturbed(sandbox: &Sandbox, account: usize, function: &'static str) {
    let env = env_of(sandbox, account);
    tokio::task::spawn_blocking(move || case(&env, "disturbed", function)).await.expect("the case");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_counts_living_instances_and_can_be_lifted() {
    let sandbox = own(SandboxConfig::default()).await;
    sandbox.set_instance_quota(Some(1));
    disturbed(&sandbox, 0, "the_quota_holds_for_the_second_instance").await;
    sandbox.set_instance_quota(Some(2));
    disturbed(&sandbox, 0, "a_terminated_instance_does_not_count").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_speak_each_services_words() {
    let sandbox = own(SandboxConfig::default()).await;
    let actions = [
        ("ec2", "CreateVpc"),
        ("elasticloadbalancing", "DescribeLoadBalancers"),
        ("iam", "ListRoles"),
        ("route53", "ListHostedZones"),
        ("s3", "ListBuckets"),
    ];
    let denied = actions.map(|(service, action)| sandbox.deny(service, action));
    disturbed(&sandbox, 0, "denied_in_each_protocol").await;
    assert!(denied.into_iter().all(|id| sandbox.ledger().withdraw(id)));
    for (fault, function) in [(Fault::Throttle, "throttled_in_each_protocol"), (Fault::ServerError, "broken_in_each_protocol")] {
        let id = sandbox.ledger().inject(Matcher::plane(Plane::Cloud), Injection::Fault(fault), None);
        disturbed(&sandbox, 0, function).await;
        sandbox.ledger().withdraw(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_was_carried_out() {
    let sandbox = own(SandboxConfig::default()).await;
    sandbox.ledger().inject(Matcher::cloud("ec2", "RunInstances"), Injection::LoseAnswer, Some(1));
    disturbed(&sandbox, 0, "an_answer_is_lost_and_the_token_finds_the_instance").await;
    assert_eq!(sandbox.created().get("RunInstances"), Some(&1));
    let calls = sandbox.ledger().calls();
    let outcomes: Vec<_> = calls.iter().filter(|call| call.action == "RunInstances").map(|call| &call.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Lost, &Outcome::Ok, &Outcome::Ok]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_does_not_stop_its_call() {
    let sandbox = own(SandboxConfig::default()).await;
    sandbox.ledger().inject(Matcher::action("CreateVpc"), Injection::Delay(Duration::from_secs(1)), Some(1));
    disturbed(&sandbox, 0, "a_call_takes_effect_though_its_client_has_gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_can_be_slow_to_know_what_it_made() {
    let mut config = slow();
    config.aws.timing.lag_holds_for_writes = true;
    disturbed(&own(config).await, 0, "writes_know_new_objects_no_sooner_than_reads").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_do_not_see_each_other_and_the_inventory_sees_all() {
    let sandbox = own(SandboxConfig::default()).await;
    assert_eq!(sandbox.inventory().await.expect("an inventory"), []);
    disturbed(&sandbox, 0, "a_network_with_a_name").await;
    disturbed(&sandbox, 1, "another_account_sees_nothing").await;
    disturbed(&sandbox, 0, "a_bucket_with_a_name").await;
    disturbed(&sandbox, 1, "another_accounts_bucket_is_out_of_reach").await;
    disturbed(&sandbox, 0, "unknown_credentials").await;
    let inventory = sandbox.inventory().await.expect("an inventory");
    let found: Vec<_> =
        inventory.iter().map(|object| (object.kind.as_str(), object.name.as_str(), object.account.as_str())).collect();
    assert_eq!(found, [("bucket", "mine-alone", "123456789012"), ("vpc", "mine", "123456789012")]);
    assert_eq!(sandbox.aws().unreviewed(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_looks_in_and_disturbs() {
    let sandbox = Arc::new(own(SandboxConfig::default()).await);
    let control = Control::start(Arc::clone(&sandbox), 0).await.expect("a port");
    let mut env = env_of(&sandbox, 0);
    env.push(("SANDBOX_CONTROL_URL".to_owned(), control.url()));
    let run = move || case(&env, "disturbed", "a_person_looks_in_and_disturbs");
    tokio::task::spawn_blocking(run).await.expect("the case");
}

/// Notes what it is handed, and takes its time to end.
#[derive(Clone, Default)]
struct Witness {
    seen: Arc<Mutex<Vec<InstanceStarted>>>,
    ended: Arc<Mutex<Vec<String>>>,
}

impl InstanceHost for Witness {
    fn started(&self, instance: InstanceStarted) {
        self.seen.lock().expect("lock").push(instance);
    }

    fn stopped(&self, _instance_id: &str) {}

    fn restarted(&self, _instance_id: &str) {}

    fn terminated(&self, instance_id: &str) -> BoxFuture<'static, ()> {
        let (ended, id) = (Arc::clone(&self.ended), instance_id.to_owned());
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(700)).await;
            ended.lock().expect("lock").push(id);
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_handed_over_and_user_data_stays_out_of_the_ledger() {
    let witness = Witness::default();
    let ledger = Ledger::new();
    let sandbox =
        Sandbox::start_with(SandboxConfig::default(), ledger.clone(), Arc::new(witness.clone())).await.expect("a sandbox");
    disturbed(&sandbox, 0, "an_instance_lives_and_dies").await;
    let seen = witness.seen.lock().expect("lock").clone();
    let [instance] = seen.as_slice() else { panic!("one instance, not {seen:?}") };
    assert_eq!(instance.user_data.as_bytes(), b"machine: secret");
    assert_eq!(instance.talos_version.as_deref(), Some("v1.13.9"));
    assert_eq!((instance.region.as_str(), instance.zone.as_str()), ("us-east-1", "us-east-1a"));
    assert!(sandbox.vpc_cidr().contains(&instance.private_ip));
    assert_eq!(instance.tags.get("Name").map(String::as_str), Some("n1"));
    // The case ended when the cloud said `terminated`: by then the node is gone.
    assert_eq!(*witness.ended.lock().expect("lock"), *std::slice::from_ref(&instance.instance_id));
    let text = serde_json::to_string(&ledger.calls()).expect("JSON");
    let encoded = "bWFjaGluZTogc2VjcmV0";
    assert!(text.contains("sha256:") && !text.contains(encoded) && !text.contains("machine: secret"));
}

#[test]
fn a_killed_sandbox_takes_moto_along() {
    let state = tempfile::tempdir().expect("a folder");
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .arg("--state-dir")
        .arg(state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the sandbox starts");
    let script = state.path().join("env.sh");
    wait("the sandbox to come up", || script.exists());
    let moto = children_of(sandbox.id());
    assert_eq!(moto.len(), 1, "moto is its only child");
    sandbox.kill().expect("it is killed");
    sandbox.wait().expect("it ends");
    wait("moto to end", || moto.iter().all(|process| !Path::new(&format!("/proc/{process}")).exists()));
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            after_name.split_whitespace().nth(1) == Some(parent.to_string().as_str())
        })
        .collect()
}

#[test]
fn the_sandbox_gives_terraform_the_provider_as_it_was_built() {
    let folder = tempfile::tempdir().expect("a folder");
    let provider = folder.path().join("provider of mine");
    fs::write(&provider, "").expect("a file");
    let state = folder.path().join("state");
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .arg("--state-dir")
        .arg(&state)
        .env("INFERADB_PROVIDER", &provider)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the sandbox starts");
    let script = state.join("env.sh");
    wait("the sandbox to come up", || script.exists());
    let variable = format!("export TF_CLI_CONFIG_FILE={}", state.join("cli.tfrc").display());
    assert!(fs::read_to_string(&script).expect("the script").contains(&variable));
    let settings = fs::read_to_string(state.join("cli.tfrc")).expect("the settings");
    assert!(settings.contains("dev_overrides") && settings.contains(&state.join("provider").display().to_string()), "{settings}");
    let program = state.join("provider/terraform-provider-inferadb");
    assert_eq!(fs::canonicalize(program).expect("a link"), fs::canonicalize(&provider).expect("a path"));
    let interrupted = Command::new("kill").args(["-INT", &sandbox.id().to_string()]).status().expect("kill");
    assert!(interrupted.success() && sandbox.wait().expect("it ends").success());
    assert_eq!(fs::read_dir(&state).expect("the folder").count(), 0, "it takes away what it wrote");
}

#[test]
fn wrong_options_of_the_sandbox_are_answered_before_anything_starts() {
    let answer = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sandbox")).args(arguments).output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let said = |(code, text): (Option<i32>, String), words: &str| assert!(code == Some(2) && text.contains(words), "{text}");
    said(answer(&["--number", "99"]), "`--number` is 0 to 49, not `99`");
    said(answer(&["--prot", "1"]), "`--prot` is no option");
    said(answer(&["--state-dir"]), "`--state-dir` needs a value");
    said(answer(&["--state-dir", "/nowhere/at/all"]), "`/nowhere/at` is no folder");
}

#[test]
fn every_region_that_the_provider_knows_has_images() {
    let names = Path::new(env!("CARGO_MANIFEST_DIR")).join("../provider/src/names.rs");
    let names = fs::read_to_string(names).expect("the provider's names");
    let (_, list) = names.split_once("AWS_OWN_REGIONS: &[&str] = &[").expect("the list");
    let (list, _) = list.split_once("];").expect("its end");
    let known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert_eq!(known, acceptance_tests::aws::REGIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_run_side_by_side() {
    let (one, two) = (own(SandboxConfig::default()).await, own(SandboxConfig::default()).await);
    assert_ne!(one.vpc_cidr(), two.vpc_cidr());
    assert_ne!(one.aws().endpoint(), two.aws().endpoint());
    let number = one.vpc_cidr().network().octets()[1] - 10;
    let refusal = async |number| {
        let taken = SandboxConfig { number: Some(number), ..SandboxConfig::default() };
        Sandbox::start_with(taken, Ledger::new(), Arc::new(NoHost)).await.err().expect("a refusal").to_string()
    };
    assert!(refusal(number).await.contains("is taken"));
    assert!(refusal(50).await.contains("numbers are 0 to 49"));
}
