//! Members: all there, or on their way out.

use std::sync::{Arc, Mutex};

use prost::Message;
use proto::{
    cosi::resource::{GetResponse, Resource, Spec},
    talos::machine as wire,
};
use talos::{
    client::Clients,
    lifecycle::{Left, etcd_is_unborn, leave_etcd, remove_member, stale_members, wait_etcd, wait_quorum_without},
};
use tonic::Code;

use crate::{
    authority::Authority,
    deadline,
    node::{Answer, FakeNode},
    silent,
};

/// An etcd cluster that several nodes serve.
#[derive(Default)]
struct Etcd {
    members: Vec<wire::EtcdMember>,
    leader: u64,
    /// Ids whose node's etcd is not up.
    down: Vec<u64>,
    /// Everything that changed membership or leadership, in order.
    changes: Vec<String>,
    /// So many more times a node says that it has no leader.
    leaderless: usize,
}

type Shared = Arc<Mutex<Etcd>>;

impl Etcd {
    fn answer(&mut self, me: u64, method: &str, request: &[u8]) -> Answer {
        let mine = self.members.iter().any(|member| member.id == me);
        if matches!(method, "EtcdMemberList" | "EtcdStatus") && (!mine || self.down.contains(&me)) {
            return Answer::failure(Code::Unavailable, "etcd is not up");
        }
        match method {
            "EtcdMemberList" => Answer::one(&wire::EtcdMemberListResponse {
                messages: vec![wire::EtcdMembers { members: self.members.clone(), ..Default::default() }],
            }),
            "EtcdStatus" => {
                let leader = if self.leaderless > 0 { 0 } else { self.leader };
                self.leaderless = self.leaderless.saturating_sub(1);
                let status = wire::EtcdMemberStatus { member_id: me, leader, ..Default::default() };
                Answer::one(&wire::EtcdStatusResponse {
                    messages: vec![wire::EtcdStatus { member_status: Some(status), ..Default::default() }],
                })
            }
            "EtcdForfeitLeadership" => {
                self.changes.push(format!("{me} forfeits"));
                self.leader = self.members.iter().map(|member| member.id).find(|id| *id != me).unwrap_or_default();
                Answer::one(&wire::EtcdForfeitLeadershipResponse { messages: vec![wire::EtcdForfeitLeadership::default()] })
            }
            "EtcdLeaveCluster" => {
                self.changes.push(format!("{me} leaves"));
                self.members.retain(|member| member.id != me);
                Answer::one(&wire::EtcdLeaveClusterResponse { messages: vec![wire::EtcdLeaveCluster::default()] })
            }
            "EtcdRemoveMemberByID" => {
                self.changes.push(format!("{me} removes"));
                let id = wire::EtcdRemoveMemberByIdRequest::decode(request).expect("a request").member_id;
                self.members.retain(|member| member.id != id);
                Answer::one(&wire::EtcdRemoveMemberByIdResponse { messages: vec![wire::EtcdRemoveMemberById::default()] })
            }
            // The resource that bears the node's own member id.
            "Get" if mine => {
                let spec = Some(Spec { yaml_spec: format!("memberID: {me:016x}\n"), ..Default::default() });
                Answer::one(&GetResponse { resource: Some(Resource { spec, ..Default::default() }) })
            }
            "Get" => Answer::failure(Code::NotFound, "doesn't exist"),
            "Hostname" => Answer::one(&wire::HostnameResponse {
                messages: vec![wire::Hostname { hostname: format!("node-{me}"), ..Default::default() }],
            }),
            "ServiceList" => {
                let (state, message) =
                    if mine { ("Running", "Health check successful") } else { ("Preparing", "Running pre state") };
                let event = wire::ServiceEvent { msg: message.to_owned(), ..Default::default() };
                let etcd = wire::ServiceInfo {
                    id: "etcd".to_owned(),
                    state: state.to_owned(),
                    events: Some(wire::ServiceEvents { events: vec![event] }),
                    ..Default::default()
                };
                Answer::one(&wire::ServiceListResponse {
                    messages: vec![wire::ServiceList { services: vec![etcd], ..Default::default() }],
                })
            }
            _ => Answer::failure(Code::Unimplemented, method),
        }
    }
}

fn member(id: u64, name: &str) -> wire::EtcdMember {
    wire::EtcdMember { id, hostname: name.to_owned(), ..Default::default() }
}

async fn cluster(authority: &Authority, ids: &[u64]) -> (Vec<FakeNode>, Vec<String>, Shared) {
    let members = ids.iter().map(|id| member(*id, &format!("node-{id}"))).collect();
    let etcd = Arc::new(Mutex::new(Etcd { members, leader: ids[0], ..Default::default() }));
    let mut nodes = Vec::new();
    for id in ids.iter().copied() {
        let etcd = Arc::clone(&etcd);
        nodes.push(
            FakeNode::start(authority, move |method, request| etcd.lock().expect("a lock").answer(id, method, request)).await,
        );
    }
    let addresses = nodes.iter().map(|node| node.address.clone()).collect();
    (nodes, addresses, etcd)
}

#[tokio::test]
async fn three_voters_on_three_lists_are_awaited() {
    let authority = Authority::new();
    let (_nodes, addresses, etcd) = cluster(&authority, &[1, 2, 3]).await;
    etcd.lock().expect("a lock").members[2].is_learner = true;
    let clients = Clients::new(&authority.identity()).expect("clients");
    let seen = Mutex::new(Vec::new());
    let progress = |line: &str| {
        seen.lock().expect("a lock").push(line.to_owned());
        etcd.lock().expect("a lock").members[2].is_learner = false;
    };
    let members = wait_etcd(&clients, &addresses, 3, deadline(), &progress).await.expect("an end");
    assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["node-1", "node-2", "node-3"]);
    let seen = seen.lock().expect("a lock");
    assert!(seen.len() == 1 && seen[0].contains("lists `node-3` as a learner"), "{seen:?}");
}

#[tokio::test]
async fn a_leader_hands_over_before_it_leaves() {
    let authority = Authority::new();
    let (_nodes, addresses, etcd) = cluster(&authority, &[1, 2, 3]).await;
    let clients = Clients::new(&authority.identity()).expect("clients");
    let left = leave_etcd(&clients, &addresses, &addresses[0], deadline(), &silent).await.expect("an end");
    assert_eq!(left, Left::Now);
    assert_eq!(etcd.lock().expect("a lock").changes, ["1 forfeits", "1 leaves"]);
    let again = leave_etcd(&clients, &addresses, &addresses[0], deadline(), &silent).await.expect("an end");
    assert_eq!(again, Left::Before);
    assert_eq!(etcd.lock().expect("a lock").changes.len(), 2);
}

#[tokio::test]
async fn nobody_leaves_while_the_others_have_no_quorum() {
    let authority = Authority::new();
    let (_nodes, addresses, etcd) = cluster(&authority, &[1, 2, 3]).await;
    etcd.lock().expect("a lock").down = vec![2];
    let clients = Clients::new(&authority.identity()).expect("clients");
    let seen = Mutex::new(Vec::new());
    let progress = |line: &str| {
        let mut seen = seen.lock().expect("a lock");
        let mut etcd = etcd.lock().expect("a lock");
        if seen.is_empty() {
            assert_eq!(etcd.changes, Vec::<String>::new());
            etcd.down.clear();
        }
        seen.push(line.to_owned());
    };
    let left = leave_etcd(&clients, &addresses, &addresses[2], deadline(), &progress).await.expect("an end");
    assert_eq!(left, Left::Now);
    assert_eq!(etcd.lock().expect("a lock").changes, ["3 leaves"]);
    let seen = seen.lock().expect("a lock");
    assert!(seen[0].contains("1 of 2 voters are healthy, and 2 are needed"), "{seen:?}");
}

#[tokio::test]
async fn the_last_member_stays() {
    let authority = Authority::new();
    let (nodes, addresses, etcd) = cluster(&authority, &[1]).await;
    let clients = Clients::new(&authority.identity()).expect("clients");
    let error = leave_etcd(&clients, &addresses, &addresses[0], deadline(), &silent).await.expect_err("a refusal");
    assert!(error.to_string().contains("only control-plane node"), "{error}");
    assert_eq!((nodes[0].calls().len(), etcd.lock().expect("a lock").changes.len()), (0, 0));
}

#[tokio::test]
async fn a_reboot_waits_for_a_leader() {
    let authority = Authority::new();
    let (_nodes, addresses, etcd) = cluster(&authority, &[1, 2, 3]).await;
    etcd.lock().expect("a lock").leaderless = 2;
    let clients = Clients::new(&authority.identity()).expect("clients");
    let waited = Mutex::new(0);
    let progress = |_: &str| *waited.lock().expect("a lock") += 1;
    wait_quorum_without(&clients, &addresses, &addresses[0], deadline(), &progress).await.expect("an end");
    assert_eq!(*waited.lock().expect("a lock"), 1);
}

#[tokio::test]
async fn the_member_of_a_machine_that_is_gone_is_found_and_removed() {
    let authority = Authority::new();
    let (_nodes, addresses, etcd) = cluster(&authority, &[1, 2]).await;
    etcd.lock().expect("a lock").members.push(member(9, "gone"));
    let clients = Clients::new(&authority.identity()).expect("clients");
    let stale = stale_members(&clients, &addresses, deadline(), &silent).await.expect("an end");
    assert_eq!(stale.iter().map(|member| member.id).collect::<Vec<_>>(), [9]);
    for _ in 0..2 {
        remove_member(&clients, &addresses, 9, deadline(), &silent).await.expect("an end");
    }
    assert_eq!(etcd.lock().expect("a lock").changes, ["1 removes"]);
    assert!(stale_members(&clients, &addresses, deadline(), &silent).await.expect("an end").is_empty());
}

#[tokio::test]
async fn etcd_is_unborn_only_while_every_node_waits() {
    let authority = Authority::new();
    let (_nodes, addresses, etcd) = cluster(&authority, &[1, 2, 3]).await;
    etcd.lock().expect("a lock").members.clear();
    let clients = Clients::new(&authority.identity()).expect("clients");
    assert!(etcd_is_unborn(&clients, &addresses, deadline(), &silent).await.expect("an end"));
    etcd.lock().expect("a lock").members.push(member(2, "node-2"));
    assert!(!etcd_is_unborn(&clients, &addresses, deadline(), &silent).await.expect("an end"));
}
