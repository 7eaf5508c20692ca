//! The life of instances: states that take time, addresses, and the hand-over to the program that plays the nodes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::answer::{Answer, Refusal};
use super::super::moto::Caller;
use super::super::request::Request;
use super::super::xml::Element;
use super::super::{Cloud, caller, visibility};
use crate::instance_feed::InstanceStarted;

/// How long a node may take to give up its addresses.
const NODE_END: Duration = Duration::from_secs(30);

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Pending => "0",
            Self::Running => "16",
            Self::Stopping => "64",
            Self::Stopped => "80",
            Self::ShuttingDown => "32",
            Self::Terminated => "48",
        }
    }

    /// Whether its interfaces are still there.
    pub(crate) fn holds_network(self) -> bool {
        self < Self::Terminated
    }

    pub(crate) fn state(self, name: &str) -> Element {
        Element::new(name).leaf("code", self.code()).leaf("name", self.name())
    }
}

/// An instance as the rules see it. moto has it as running until it is terminated here.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) zone: String,
    pub(crate) private_ip: Ipv4Addr,
    pub(crate) public_ip: Option<Ipv4Addr>,
    pub(crate) groups: Vec<String>,
    /// From when on the public address shows; it comes after the state `running`.
    pub(crate) public_from: Option<Instant>,
    pub(crate) phase: Phase,
    /// Interfaces that go with the instance.
    pub(crate) interfaces: Vec<String>,
    /// DisableApiTermination.
    pub(crate) protected: bool,
    /// Whether the program that plays the nodes has it.
    pub(crate) handed_over: bool,
}

impl Instance {
    /// Neither terminated nor on the way there.
    pub(crate) fn lives(&self) -> bool {
        self.phase < Phase::ShuttingDown
    }
}

/// Turns a new instance `running` after its time and hands it over.
pub(crate) fn schedule_start(cloud: &Arc<Cloud>, started: InstanceStarted) {
    cloud.later(cloud.config.timing.instance_pending, |cloud| async move {
        let mut state = cloud.state();
        let Some(instance) = state.instances.get_mut(&started.instance_id) else { return };
        if instance.phase != Phase::Pending {
            return;
        }
        instance.phase = Phase::Running;
        instance.public_from = Some(Instant::now() + cloud.config.timing.public_address_after);
        instance.handed_over = true;
        // Under the lock, so that no termination can be told before the start.
        cloud.host.started(started);
    });
}

/// DescribeInstances: moto's answer with the states, addresses and instances that show.
pub(crate) async fn describe(cloud: &Cloud, request: &mut Request, account: &str) -> Result<Answer, Refusal> {
    let states = take_state_filters(request);
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    if let Some(reservations) = tree.child_mut("reservationSet") {
        for reservation in reservations.elements_mut() {
            if let Some(set) = reservation.child_mut("instancesSet") {
                let state = cloud.state();
                set.retain(|item| {
                    let id = item.text_of("instanceId");
                    let phase = state.instances.get(id).map_or(Phase::Running, |instance| instance.phase);
                    let wanted =
                        states.iter().all(|filter| filter.iter().any(|value| value == phase.name() || value == phase.code()));
                    wanted && !state.hides(id)
                });
                for item in set.elements_mut() {
                    if let Some(instance) = state.instances.get(item.text_of("instanceId")) {
                        overlay(item, instance);
                    }
                }
            }
        }
        reservations.retain(|reservation| reservation.child("instancesSet").is_some_and(|set| set.elements().next().is_some()));
    }
    Ok(answer.replaced(&tree))
}

/// Takes the filters on the state out of a request (moto's state is not ours) and returns the values of each.
fn take_state_filters(request: &mut Request) -> Vec<Vec<String>> {
    let filters = request.parameters.structures("Filter");
    request.parameters.remove_below("Filter");
    let mut states = Vec::new();
    let mut index = 0;
    for filter in filters {
        let name = filter.get("Name").unwrap_or_default();
        let values = filter.list("Value");
        if ["instance-state-name", "instance-state-code"].contains(&name) {
            states.push(values.into_iter().map(str::to_owned).collect());
            continue;
        }
        index += 1;
        request.parameters.set(&format!("Filter.{index}.Name"), name);
        for (place, value) in values.into_iter().enumerate() {
            request.parameters.set(&format!("Filter.{index}.Value.{}", place + 1), value);
        }
    }
    states
}

/// Puts state and addresses into an instance of an answer.
pub(crate) fn overlay(item: &mut Element, instance: &Instance) {
    item.remove("instanceState");
    item.push(instance.phase.state("instanceState"));
    if instance.phase == Phase::Terminated {
        // A terminated instance has no place in a network any more.
        for name in
            ["vpcId", "subnetId", "privateIpAddress", "ipAddress", "groupSet", "networkInterfaceSet", "blockDeviceMapping"]
        {
            item.remove(name);
        }
        item.set("privateDnsName", "");
        item.set("dnsName", "");
        item.push(Element::new("groupSet"));
        item.push(Element::new("networkInterfaceSet"));
        return;
    }
    // The public address goes when the instance is stopped.
    let shows = instance.phase != Phase::Stopped && instance.public_from.is_some_and(|from| from <= Instant::now());
    let public = instance.public_ip.filter(|_| shows);
    let name = public.map(|ip| public_dns_name(ip, &instance.region)).unwrap_or_default();
    item.set("dnsName", &name);
    match public {
        Some(ip) => item.set("ipAddress", &ip.to_string()),
        None => item.remove("ipAddress"),
    }
    if let Some(interfaces) = item.child_mut("networkInterfaceSet") {
        for interface in interfaces.elements_mut() {
            associate(interface, public, &name);
            if let Some(addresses) = interface.child_mut("privateIpAddressesSet") {
                for address in addresses.elements_mut() {
                    associate(address, public, &name);
                }
            }
        }
    }
}

/// Puts the public address into an interface or one of its addresses.
pub(crate) fn associate(element: &mut Element, public: Option<Ipv4Addr>, name: &str) {
    element.remove("association");
    if let Some(ip) = public {
        element.push(
            Element::new("association").leaf("publicIp", &ip.to_string()).leaf("publicDnsName", name).leaf("ipOwnerId", "amazon"),
        );
    }
}

pub(crate) fn public_dns_name(ip: Ipv4Addr, region: &str) -> String {
    let dashed = ip.to_string().replace('.', "-");
    if region == "us-east-1" {
        format!("ec2-{dashed}.compute-1.amazonaws.com")
    } else {
        format!("ec2-{dashed}.{region}.compute.amazonaws.com")
    }
}

/// TerminateInstances: `shutting-down` at once, `terminated` when the node is gone and the time is over.
pub(crate) fn terminate(cloud: &Arc<Cloud>, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let ids: Vec<String> = request.parameters.list("InstanceId").into_iter().map(str::to_owned).collect();
    let mut set = Element::new("instancesSet");
    let mut ending = Vec::new();
    {
        let mut state = cloud.state();
        for id in &ids {
            let instance = state
                .instances
                .get(id)
                .filter(|instance| instance.region == request.region && instance.account == account)
                .ok_or_else(|| visibility::not_found(id))?;
            if instance.protected && instance.lives() {
                return Err(Refusal::new(
                    "OperationNotPermitted",
                    format!(
                        "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
                    ),
                ));
            }
        }
        for id in &ids {
            let Some(instance) = state.instances.get_mut(id) else { continue };
            let before = instance.phase;
            if instance.lives() {
                instance.phase = Phase::ShuttingDown;
                ending.push((id.clone(), instance.handed_over));
            }
            set.push(
                Element::new("item")
                    .leaf("instanceId", id)
                    .node(instance.phase.state("currentState"))
                    .node(before.state("previousState")),
            );
        }
    }
    for (id, handed_over) in ending {
        let gone = handed_over.then(|| cloud.host.terminated(&id));
        cloud.later(cloud.config.timing.instance_shutdown, |cloud| async move {
            if let Some(gone) = gone
                && tokio::time::timeout(NODE_END, gone).await.is_err()
            {
                tracing::error!("the node of `{id}` does not end; its addresses stay in use");
            }
            finish(&cloud, &id).await;
        });
    }
    Ok(Answer::xml(&Element::new("TerminateInstancesResponse").leaf("requestId", "sandbox").node(set)))
}

/// The end of an instance: moto drops its disks, its interfaces go, its load balancers forget it.
async fn finish(cloud: &Cloud, id: &str) {
    let _writing = cloud.writing.lock().await;
    let Some(instance) = cloud.state().instances.get(id).cloned() else { return };
    let caller = Caller { account: &instance.account, region: &instance.region };
    if let Err(refusal) = cloud.moto.ec2(caller, "TerminateInstances", &[("InstanceId.1", id)]).await {
        tracing::error!("moto does not terminate `{id}`: {}: {}", refusal.code, refusal.message);
    }
    for interface in &instance.interfaces {
        // moto keeps the interface unless it was told to drop it with the instance.
        let _ = cloud.moto.ec2(caller, "DetachNetworkInterface", &[("NetworkInterfaceId", interface)]).await;
        let _ = cloud.moto.ec2(caller, "DeleteNetworkInterface", &[("NetworkInterfaceId", interface)]).await;
    }
    let mut state = cloud.state();
    if let Some(instance) = state.instances.get_mut(id) {
        instance.phase = Phase::Terminated;
    }
    for group in state.target_groups.values_mut() {
        group.forget(id);
    }
}

/// ModifyInstanceAttribute: termination protection and security groups.
pub(crate) fn note_modified(cloud: &Cloud, request: &Request) {
    let id = request.parameters.get("InstanceId").unwrap_or_default();
    let groups: Vec<String> = request.parameters.list("GroupId").into_iter().map(str::to_owned).collect();
    let mut state = cloud.state();
    let Some(instance) = state.instances.get_mut(id) else { return };
    if let Some(value) = request.parameters.get("DisableApiTermination.Value") {
        instance.protected = value.eq_ignore_ascii_case("true");
    }
    if !groups.is_empty() {
        instance.groups = groups;
    }
}

/// The instances of an account and region that match ids, as moto describes them, each with its overlay.
pub(crate) async fn described(cloud: &Cloud, request: &Request, account: &str, ids: &[String]) -> Result<Element, Refusal> {
    let keys: Vec<String> = (1..=ids.len()).map(|index| format!("InstanceId.{index}")).collect();
    let pairs: Vec<(&str, &str)> = keys.iter().map(String::as_str).zip(ids.iter().map(String::as_str)).collect();
    let mut tree = cloud.moto.ec2(caller(request, account), "DescribeInstances", &pairs).await?;
    let state = cloud.state();
    let mut reservation = tree.at_mut(&["reservationSet", "item"]).map(std::mem::take).unwrap_or_default();
    if let Some(set) = reservation.child_mut("instancesSet") {
        for item in set.elements_mut() {
            if let Some(instance) = state.instances.get(item.text_of("instanceId")) {
                overlay(item, instance);
            }
        }
    }
    Ok(reservation)
}
