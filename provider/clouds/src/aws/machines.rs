//! EC2 instances as a cluster's machines.

use std::time::Duration;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, HttpTokensState, Instance, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceStateName, InstanceType, ResourceType, VolumeType,
};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::call::{Api, Pace, SETTLE};
use super::inventory::{FRESH, SHARED};
use super::tags::{self, Tags};
use super::{Aws, images, naming, roots, user_data};
use crate::{ClusterState, Error, Kind, Machine, MachineRole, MachineSpec, MachineStatus, Result, Root, Scope};

/// An instance runs within a minute as a rule; bare metal takes a quarter of an hour.
const RUNNING: Duration = Duration::from_mins(20);
/// Shutting down waits for the operating system, up to some minutes.
const GONE: Duration = Duration::from_mins(20);
/// Bound on the chain of tokens that answer with machines that are gone.
const TOKENS: usize = 20;
const RUN: &str = "ec2:RunInstances";

fn status(instance: &Instance) -> MachineStatus {
    match instance.state().and_then(|state| state.name()) {
        Some(InstanceStateName::Running) => MachineStatus::Running,
        Some(InstanceStateName::Stopping | InstanceStateName::Stopped) => MachineStatus::Stopped,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => MachineStatus::Terminated,
        _ => MachineStatus::Pending,
    }
}

/// The machine that an instance is, by its tags.
fn machine(instance: &Instance) -> Option<Machine> {
    let tags = tags::from_ec2(instance.tags());
    let role = match tags.get(tags::ROLE)?.as_str() {
        "control-plane" => MachineRole::ControlPlane,
        "worker" => MachineRole::Worker,
        _ => return None,
    };
    Some(Machine {
        id: instance.instance_id()?.to_owned(),
        role,
        pool: tags.get(tags::POOL).cloned().unwrap_or_default(),
        index: tags.get(tags::INDEX)?.parse().ok()?,
        machine_type: instance.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        zone: instance.placement().and_then(|place| place.availability_zone()).unwrap_or_default().to_owned(),
        status: status(instance),
        private_ip: instance.private_ip_address().and_then(|address| address.parse().ok()),
        public_ip: instance.public_ip_address().and_then(|address| address.parse().ok()),
        talos_address: None,
        image_id: instance.image_id().unwrap_or_default().to_owned(),
        bundle_fingerprint: tags.get(tags::BUNDLE).cloned().unwrap_or_default(),
        tags,
    })
}

/// Whether the tags name that cluster. Within a place, environment, region and name are one cluster.
fn belongs(tags: &Tags, scope: &Scope, cluster: &str) -> bool {
    let is = |key: &str, value: &str| tags.get(key).map(String::as_str) == Some(value);
    is(tags::ENVIRONMENT, &scope.environment) && is(tags::REGION, &scope.region) && is(tags::CLUSTER, cluster)
}

async fn of_cluster(aws: &Aws, scope: &Scope, cluster: &str, age: Duration) -> Result<Vec<Machine>> {
    let instances = aws.instances(age).await?;
    let mut machines: Vec<Machine> =
        instances.iter().filter_map(machine).filter(|machine| belongs(&machine.tags, scope, cluster)).collect();
    machines.sort_by(|a, b| (a.role, &a.pool, a.index, &a.id).cmp(&(b.role, &b.pool, b.index, &b.id)));
    Ok(machines)
}

/// The cluster's machines that are not gone.
pub(super) async fn list(aws: &Aws, root_id: &str, age: Duration) -> Result<Vec<Machine>> {
    let Some(root): Option<Root> = roots::one(aws, Kind::Cluster, root_id, age).await? else { return Ok(Vec::new()) };
    let mut machines = of_cluster(aws, &root.scope, &root.name, age).await?;
    machines.retain(|machine| machine.status != MachineStatus::Terminated);
    Ok(machines)
}

/// Makes one machine, or finds the one that an earlier try has made, and waits until it runs.
pub(super) async fn create(aws: &Aws, scope: &Scope, cluster: &str, state: &ClusterState, spec: &MachineSpec) -> Result<Machine> {
    let name = tags::machine_name(spec.role, &spec.pool, spec.index);
    let zone = aws.subnets(SHARED).await?.iter().find(|subnet| subnet.subnet_id() == Some(spec.subnet_id.as_str())).cloned();
    let zone = zone.and_then(|subnet| subnet.availability_zone).unwrap_or_default();
    let object = format!("machine `{name}` of cluster `{cluster}` (a `{}` in `{zone}`)", spec.machine_type);
    let standing = of_cluster(aws, scope, cluster, FRESH).await?.into_iter().find(|machine| {
        (machine.role, &machine.pool, machine.index) == (spec.role, &spec.pool, spec.index)
            && machine.status != MachineStatus::Terminated
            && Some(&machine.id) != spec.replaces.as_ref()
    });
    let id = match standing {
        Some(machine) => machine.id,
        None => run(aws, scope, cluster, state, spec, &object).await?,
    };
    wait_running(aws, &id, &object).await
}

/// Asks for the machine until the answer is one that is not gone: EC2 answers a used token with the same instance, also
/// with a terminated one, so what takes the place of that one has a token of its own.
async fn run(aws: &Aws, scope: &Scope, cluster: &str, state: &ClusterState, spec: &MachineSpec, object: &str) -> Result<String> {
    let request = Request::new(aws, scope, cluster, state, spec, object).await?;
    let mut replaces = spec.replaces.clone().unwrap_or_default();
    for _ in 0..TOKENS {
        let token = naming::machine_token(&state.security_group_id, spec.role, &spec.pool, spec.index, &replaces);
        match request.send(aws, &token, &replaces, object).await? {
            Answer::Standing(id) => return Ok(id),
            Answer::Gone(id) => replaces = id.unwrap_or(token),
        }
    }
    Err(Error::Api {
        operation: RUN,
        object: object.to_owned(),
        code: String::new(),
        message: format!("{TOKENS} machines in its place were terminated within a day: wait, or find out who terminates them"),
    })
}

/// What a token stands for.
enum Answer {
    /// A machine.
    Standing(String),
    /// One that was terminated; its id, where EC2 tells.
    Gone(Option<String>),
}

struct Request<'a> {
    spec: &'a MachineSpec,
    security_group: &'a str,
    tags: Tags,
    user_data: String,
    root_device: String,
}

impl<'a> Request<'a> {
    async fn new(
        aws: &Aws,
        scope: &Scope,
        cluster: &str,
        state: &'a ClusterState,
        spec: &'a MachineSpec,
        object: &str,
    ) -> Result<Self> {
        let packed = user_data::encode(&spec.user_data).map_err(|error| Error::Api {
            operation: RUN,
            object: object.to_owned(),
            code: "UserDataTooLarge".to_owned(),
            message: error.to_string(),
        })?;
        let name = tags::machine_name(spec.role, &spec.pool, spec.index);
        let display = format!("{}-{}-{cluster}-{name}", scope.environment, scope.region);
        let mut tags = tags::of_cluster(scope, cluster, &display, &spec.tags);
        tags.insert(tags::ROLE.to_owned(), tags::role_name(spec.role).to_owned());
        tags.insert(tags::POOL.to_owned(), spec.pool.clone());
        tags.insert(tags::INDEX.to_owned(), spec.index.to_string());
        tags.insert(tags::BUNDLE.to_owned(), spec.bundle_fingerprint.clone());
        Ok(Self {
            spec,
            security_group: &state.security_group_id,
            tags,
            user_data: user_data::base64(&packed),
            root_device: images::root_device(aws, &spec.image_id).await?,
        })
    }

    /// The machine that the token stands for.
    async fn send(&self, aws: &Aws, token: &str, replaces: &str, object: &str) -> Result<Answer> {
        let mut tags = self.tags.clone();
        if replaces.starts_with("i-") {
            tags.insert(tags::REPLACES.to_owned(), replaces.to_owned());
        }
        let made = self.ask(aws, token, &tags, object).await;
        let answered = match made {
            Ok(instance) => Some(instance.instance_id().unwrap_or_default().to_owned()),
            // Made by an earlier try with another config: that one is the machine, whatever it booted from.
            Err(failure) if failure.is(&["IdempotentParameterMismatch"]) => None,
            Err(failure) if failure.is(&["IdempotentInstanceTerminated"]) => return Ok(Answer::Gone(None)),
            Err(failure) => return Err(failure.into()),
        };
        // Reads know better than the answer, which may repeat what was said when the token was used first.
        match by_token(aws, token, answered.as_deref(), object).await? {
            Some(found) if status(&found) == MachineStatus::Terminated => {
                Ok(Answer::Gone(found.instance_id().map(str::to_owned)))
            }
            Some(found) => Ok(Answer::Standing(found.instance_id().unwrap_or_default().to_owned())),
            // EC2 shows a terminated instance for an hour, and knows its token for a day.
            None => Ok(Answer::Gone(answered)),
        }
    }

    async fn ask(
        &self,
        aws: &Aws,
        token: &str,
        tags: &Tags,
        object: &str,
    ) -> std::result::Result<Instance, super::failure::Failure> {
        let client = &aws.clients().ec2;
        let spec = self.spec;
        let disk = EbsBlockDevice::builder()
            .volume_size(i32::try_from(spec.root_disk.size_gib).unwrap_or(i32::MAX))
            .volume_type(VolumeType::from(spec.root_disk.volume_type.as_str()))
            .encrypted(true)
            .delete_on_termination(true)
            .build();
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(spec.metadata_hop_limit.into())
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .instance_metadata_tags(InstanceMetadataTagsState::Disabled)
            .build();
        let kinds = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
        let specifications: Vec<_> = kinds.into_iter().map(|kind| tags::ec2_specification(kind, tags)).collect();
        let answer = aws
            .call(Api::Ec2, RUN, object)
            // Security group and subnet may not have reached everywhere.
            .settling(&[])
            .send(|| {
                client
                    .run_instances()
                    .client_token(token)
                    .min_count(1)
                    .max_count(1)
                    .image_id(&spec.image_id)
                    .instance_type(InstanceType::from(spec.machine_type.as_str()))
                    .subnet_id(&spec.subnet_id)
                    .security_group_ids(self.security_group)
                    .user_data(&self.user_data)
                    .metadata_options(metadata.clone())
                    .block_device_mappings(BlockDeviceMapping::builder().device_name(&self.root_device).ebs(disk.clone()).build())
                    .set_tag_specifications(Some(specifications.clone()))
                    .send()
            })
            .await?;
        Ok(answer.instances.unwrap_or_default().into_iter().next().unwrap_or_else(|| Instance::builder().build()))
    }
}

/// The instance as it is now, by its id or by the token that made it, once reads show it; `None` if they do not.
async fn by_token(aws: &Aws, token: &str, id: Option<&str>, object: &str) -> Result<Option<Instance>> {
    let client = &aws.clients().ec2;
    let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
    loop {
        let found = if let Some(id) = id {
            aws.instances(FRESH).await?.iter().find(|i| i.instance_id() == Some(id)).cloned()
        } else {
            let filter = Filter::builder().name("client-token").values(token).build();
            let answer = aws
                .call(Api::Ec2, "ec2:DescribeInstances", object)
                .send(|| client.describe_instances().filters(filter.clone()).send())
                .await?;
            // A token stands for an instance a zone, so there may be several: the one that lives is the machine.
            let all = answer.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
            all.min_by_key(|instance| status(instance) == MachineStatus::Terminated).cloned()
        };
        if found.is_some() || !pace.wait().await {
            return Ok(found);
        }
    }
}

/// Whether instances of that subnet are given public addresses.
async fn gives_public_addresses(aws: &Aws, subnet: Option<&str>) -> Result<bool> {
    let subnets = aws.subnets(SHARED).await?;
    Ok(subnets.iter().any(|found| found.subnet_id() == subnet && found.map_public_ip_on_launch() == Some(true)))
}

async fn wait_running(aws: &Aws, id: &str, object: &str) -> Result<Machine> {
    let mut pace = Pace::new(RUNNING, Duration::from_secs(3));
    let mut runs_since = None;
    loop {
        let all = aws.instances(FRESH).await?;
        if let Some(instance) = all.iter().find(|instance| instance.instance_id() == Some(id)) {
            match (status(instance), machine(instance)) {
                (MachineStatus::Running, Some(machine)) if machine.private_ip.is_some() => {
                    // The public address may show later than the state. One that ran before its subnet gave any has none.
                    let since: Instant = *runs_since.get_or_insert_with(Instant::now);
                    if machine.public_ip.is_some()
                        || since.elapsed() > SETTLE
                        || !gives_public_addresses(aws, instance.subnet_id()).await?
                    {
                        return Ok(machine);
                    }
                }
                (MachineStatus::Terminated, _) => return Err(ended(instance, object)),
                (MachineStatus::Stopped, _) => start(aws, id, object).await?,
                _ => {}
            }
        }
        if !pace.wait().await {
            return Err(Error::NotInTime {
                object: format!("{object} (`{id}`)"),
                awaited: "running",
                seconds: RUNNING.as_secs(),
            });
        }
    }
}

/// An instance that somebody stopped while its cluster was being made.
async fn start(aws: &Aws, id: &str, object: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let started =
        aws.call(Api::Ec2, "ec2:StartInstances", object).send(|| client.start_instances().instance_ids(id).send()).await;
    match started {
        Err(failure) if !failure.is(&["IncorrectInstanceState"]) => Err(failure.into()),
        _ => Ok(()),
    }
}

/// Why EC2 ended an instance before it ran.
fn ended(instance: &Instance, object: &str) -> Error {
    let reason = instance.state_reason();
    let code = reason.and_then(|reason| reason.code()).unwrap_or_default();
    let message = reason.and_then(|reason| reason.message()).unwrap_or("EC2 gives no reason").to_owned();
    let id = instance.instance_id().unwrap_or_default();
    let object = format!("{object} (`{id}`)");
    let short = ["VolumeLimitExceeded", "InstanceLimitExceeded", "InsufficientFreeAddresses"];
    if code.contains("InsufficientInstanceCapacity") {
        Error::Capacity { operation: RUN, object, message: format!("{code}: {message}") }
    } else if short.iter().any(|word| code.contains(word)) {
        Error::Quota { operation: RUN, object, message: format!("{code}: {message}") }
    } else {
        Error::Api { operation: RUN, object, code: code.to_owned(), message: format!("it was terminated: {message}") }
    }
}

/// Sets a tag and waits until reads show it.
pub(super) async fn tag(aws: &Aws, id: &str, key: &str, value: &str) -> Result<()> {
    roots::set_ec2_tags(aws, &[id.to_owned()], &Tags::from([(key.to_owned(), value.to_owned())])).await?;
    let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
    loop {
        let all = aws.instances(FRESH).await?;
        let found = all.iter().find(|instance| instance.instance_id() == Some(id));
        if found.is_some_and(|instance| tags::from_ec2(instance.tags()).get(key).map(String::as_str) == Some(value)) {
            return Ok(());
        }
        if !pace.wait().await {
            let object = format!("tag `{key}` of machine `{id}`");
            return Err(Error::NotInTime { object, awaited: "seen after it was set", seconds: SETTLE.as_secs() });
        }
    }
}

/// Terminates machines and waits until they are gone.
pub(super) async fn terminate(aws: &Aws, ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    try_join_all(ids.chunks(100).map(|some| terminate_some(aws, some))).await?;
    let mut pace = Pace::new(GONE, Duration::from_secs(5));
    loop {
        let all = aws.instances(FRESH).await?;
        let left: Vec<&str> = all
            .iter()
            .filter(|instance| instance.state().and_then(|state| state.name()) != Some(&InstanceStateName::Terminated))
            .filter_map(|instance| instance.instance_id())
            .filter(|id| ids.iter().any(|wanted| wanted == id))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if !pace.wait().await {
            let object = format!("machines `{}`", left.join("`, `"));
            return Err(Error::NotInTime { object, awaited: "terminated", seconds: GONE.as_secs() });
        }
    }
}

/// EC2 refuses the whole list if one of it is unknown.
async fn terminate_some(aws: &Aws, ids: &[String]) -> Result<()> {
    let client = &aws.clients().ec2;
    let ask = |some: Vec<String>| async move {
        aws.call(Api::Ec2, "ec2:TerminateInstances", format!("machines `{}`", some.join("`, `")))
            .send(|| client.terminate_instances().set_instance_ids(Some(some.clone())).send())
            .await
    };
    match ask(ids.to_vec()).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => {
            for id in ids {
                match ask(vec![id.clone()]).await {
                    Err(failure) if !failure.is_not_found() => return Err(failure.into()),
                    _ => {}
                }
            }
            Ok(())
        }
        Err(failure) => Err(failure.into()),
    }
}
