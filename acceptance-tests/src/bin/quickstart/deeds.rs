//! What calls of the cloud, of Talos and of Kubernetes mean to a person.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use acceptance_tests::ledger::{Call, Plane};
use serde_json::Value as Json;

/// A line: what it is about, and what happened.
pub(crate) type Line = (&'static str, String);

/// Remembers the names of what was made, for what is done with it later.
#[derive(Default)]
pub(crate) struct Deeds {
    /// By the cloud's id: what it is about and what it is called.
    made: HashMap<String, Line>,
}

impl Deeds {
    /// The lines for a call that took effect; none for what is only a look or a detail.
    pub(crate) fn of(&mut self, call: &Call) -> Vec<Line> {
        match call.plane {
            Plane::Cloud => self.in_the_cloud(call),
            Plane::Talos => self.on_a_node(call).into_iter().collect(),
            Plane::Kubernetes if call.action.ends_with("/readyz") => {
                vec![("kubernetes", "the API is ready, through the load balancer".to_owned())]
            }
            Plane::Kubernetes => Vec::new(),
        }
    }

    /// The text with addresses in backticks replaced by the names of the machines that have them.
    pub(crate) fn with_names(&self, text: &str, machine_at: impl Fn(Ipv4Addr) -> Option<String>) -> String {
        let parts = text.split('`').map(|part| {
            let id = part.parse().ok().and_then(&machine_at);
            id.and_then(|id| self.made.get(&id)).map_or(part, |(_, name)| name)
        });
        parts.collect::<Vec<_>>().join("`")
    }

    fn in_the_cloud(&mut self, call: &Call) -> Vec<Line> {
        let detail = |name: &str| call.detail[name].as_str().unwrap_or_default();
        let made = |subject, text: String| Some((subject, text));
        let named = match call.action.as_str() {
            "CreateVpc" => made("network", format!("VPC {}", detail("CidrBlock"))),
            "CreateSubnet" => made("network", format!("subnet {} in {}", detail("CidrBlock"), detail("AvailabilityZone"))),
            "CreateInternetGateway" => made("network", "internet gateway".to_owned()),
            "CreateRouteTable" => made("network", "route table".to_owned()),
            "CreateSecurityGroup" => made("firewall", format!("security group `{}`", detail("GroupName"))),
            "CreateLoadBalancer" => made("load balancer", detail("Name").to_owned()),
            "CreateTargetGroup" => made("load balancer", format!("target group {}", detail("Name"))),
            "RunInstances" => made("machine", name_tag(&call.detail)),
            "CreateBucket" => made("bucket", detail("Bucket").to_owned()),
            _ => None,
        };
        if let Some(line) = named {
            let id = if call.action == "CreateBucket" { detail("Bucket") } else { detail("Made") };
            self.made.insert(id.to_owned(), line.clone());
            let more = if call.action == "RunInstances" { format!(": {}, {id}", detail("InstanceType")) } else { String::new() };
            return vec![(line.0, line.1 + &more)];
        }
        let bucket = |what: &str| vec![("bucket", what.to_owned())];
        match call.action.as_str() {
            "CreateListener" => vec![("load balancer", format!("listens on {}", detail("Port")))],
            "PutBucketVersioning" => bucket("versioning"),
            "PutBucketEncryption" => bucket("encryption at rest"),
            "PutPublicAccessBlock" => bucket("public access blocked"),
            "PutBucketPolicy" => bucket("policy: over TLS only"),
            "PutBucketLifecycleConfiguration" => bucket("lifecycle: what becomes of old versions"),
            action => self.ended(action, &call.detail),
        }
    }

    fn ended(&self, action: &str, detail: &Json) -> Vec<Line> {
        let (parameter, word) = match action {
            "DeleteVpc" => ("VpcId", "deleted"),
            "DeleteSubnet" => ("SubnetId", "deleted"),
            "DeleteInternetGateway" => ("InternetGatewayId", "deleted"),
            "DeleteRouteTable" => ("RouteTableId", "deleted"),
            "DeleteSecurityGroup" => ("GroupId", "deleted"),
            "DeleteLoadBalancer" => ("LoadBalancerArn", "deleted"),
            "DeleteTargetGroup" => ("TargetGroupArn", "deleted"),
            "DeleteBucket" => ("Bucket", "deleted"),
            "TerminateInstances" => ("InstanceId.", "terminated"),
            _ => return Vec::new(),
        };
        let ids = detail.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with(parameter));
        ids.filter_map(|(_, id)| self.made.get(id.as_str()?))
            .map(|(subject, name)| (*subject, format!("{name} {word}")))
            .collect()
    }

    fn on_a_node(&self, call: &Call) -> Option<Line> {
        let node = self.made.get(&call.service).map_or(call.service.as_str(), |(_, name)| name);
        match call.action.as_str() {
            // A worker answers once a control-plane node has signed its certificate; the first that it is asked for is a resource.
            "Version" | "Get" => Some(("talos", format!("{node} answers"))),
            "EtcdMemberList" => {
                Some(("etcd", "members join one at a time; each control-plane node has to list them all".to_owned()))
            }
            "Bootstrap" => Some(("etcd", format!("bootstrapped, once, on {node}"))),
            "ApplyConfiguration" => Some(("talos", format!("config applied to {node}"))),
            _ => None,
        }
    }
}

/// The `Name` tag among a call's parameters: `TagSpecification.1.Tag.3.Key` says which `….Value` it is.
fn name_tag(detail: &Json) -> String {
    let fields = detail.as_object().into_iter().flatten();
    fields
        .filter(|(_, value)| *value == "Name")
        .find_map(|(key, _)| detail[format!("{}.Value", key.strip_suffix(".Key")?)].as_str())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use acceptance_tests::ledger::Outcome;
    use serde_json::json;

    use super::*;

    fn call(plane: Plane, service: &str, action: &str, detail: Json) -> Call {
        let (service, action) = (service.to_owned(), action.to_owned());
        Call { number: 1, plane, service, action, detail, outcome: Outcome::Ok, at: Duration::ZERO }
    }

    fn cloud(action: &str, detail: Json) -> Call {
        call(Plane::Cloud, "ec2", action, detail)
    }

    fn machine(name: &str, id: &str) -> Call {
        let tag = "TagSpecification.1.Tag.1";
        cloud(
            "RunInstances",
            json!({"InstanceType": "t3.large", "Made": id, format!("{tag}.Key"): "Name", format!("{tag}.Value"): name}),
        )
    }

    #[test]
    fn what_goes_is_called_by_the_name_it_was_made_under() {
        let mut deeds = Deeds::default();
        deeds.of(&cloud("CreateVpc", json!({"CidrBlock": "127.10.0.0/16", "Made": "vpc-1"})));
        assert_eq!(
            deeds.of(&cloud("DeleteVpc", json!({"VpcId": "vpc-1"}))),
            [("network", "VPC 127.10.0.0/16 deleted".to_owned())]
        );
        deeds.of(&cloud("CreateBucket", json!({"Bucket": "b"})));
        assert_eq!(deeds.of(&cloud("DeleteBucket", json!({"Bucket": "b"}))), [("bucket", "b deleted".to_owned())]);
    }

    #[test]
    fn each_machine_that_is_terminated_is_named() {
        let mut deeds = Deeds::default();
        assert_eq!(deeds.of(&machine("one", "i-1")), [("machine", "one: t3.large, i-1".to_owned())]);
        deeds.of(&machine("two", "i-2"));
        let gone = deeds.of(&cloud("TerminateInstances", json!({"InstanceId.1": "i-1", "InstanceId.2": "i-2"})));
        assert_eq!(gone, [("machine", "one terminated".to_owned()), ("machine", "two terminated".to_owned())]);
    }

    #[test]
    fn a_node_is_called_by_its_machines_name() {
        let mut deeds = Deeds::default();
        deeds.of(&machine("one", "i-1"));
        assert_eq!(deeds.of(&call(Plane::Talos, "i-1", "Get", Json::Null)), [("talos", "one answers".to_owned())]);
        assert_eq!(deeds.of(&call(Plane::Talos, "i-9", "Version", Json::Null)), [("talos", "i-9 answers".to_owned())]);
    }

    #[test]
    fn an_address_is_called_by_its_machines_name() {
        let mut deeds = Deeds::default();
        deeds.of(&machine("one", "i-1"));
        let at = |address| (address == Ipv4Addr::new(127, 110, 0, 4)).then(|| "i-1".to_owned());
        assert_eq!(deeds.with_names("`127.110.0.4` lists 2 of `127.110.0.5`", at), "`one` lists 2 of `127.110.0.5`");
    }

    #[test]
    fn a_look_is_no_deed() {
        let mut deeds = Deeds::default();
        assert_eq!(deeds.of(&cloud("DescribeVpcs", json!({"VpcId.1": "vpc-1"}))), []);
        assert_eq!(deeds.of(&call(Plane::Kubernetes, "kube-apiserver", "list nodes", Json::Null)), []);
    }
}
