//! etcd, as the machine service shows and changes it.

use proto::talos::machine as wire;

use super::{Client, Error, node::Repeat};

/// A member on some node's list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EtcdMember {
    /// etcd's id.
    pub id: u64,
    /// The node's name; empty while the member has not started.
    pub name: String,
    /// Where other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; empty while it has not started.
    pub client_urls: Vec<String>,
    /// A learner has no vote yet.
    pub learner: bool,
}

/// A node's own etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdStatus {
    /// Its id.
    pub member: u64,
    /// The leader's id as it sees it; 0 without one.
    pub leader: u64,
    /// It has no vote yet.
    pub learner: bool,
    /// What it complains of.
    pub errors: Vec<String>,
}

impl Client {
    /// Starts etcd with this node as its only member. OK again while etcd has no data yet, then
    /// [`ErrorKind::AlreadyExists`](super::ErrorKind::AlreadyExists). On another waiting node it would make a second cluster.
    pub async fn bootstrap(&self) -> Result<(), Error> {
        const CALL: &str = "Bootstrap";
        let answer = self
            .machine(CALL, Repeat::No, |mut api| async move {
                Ok(api.bootstrap(self.request(wire::BootstrapRequest::default())).await?.into_inner())
            })
            .await?;
        self.only(CALL, answer.messages).map(drop)
    }

    /// The members as this node's own etcd lists them. Hangs until the deadline while that is not up.
    pub async fn etcd_members(&self) -> Result<Vec<EtcdMember>, Error> {
        const CALL: &str = "EtcdMemberList";
        let answer = self
            .machine(CALL, Repeat::Yes, |mut api| async move {
                Ok(api.etcd_member_list(self.request(wire::EtcdMemberListRequest { query_local: true })).await?.into_inner())
            })
            .await?;
        let mut members: Vec<EtcdMember> = self
            .only(CALL, answer.messages)?
            .members
            .into_iter()
            .map(|member| EtcdMember {
                id: member.id,
                name: member.hostname,
                peer_urls: member.peer_urls,
                client_urls: member.client_urls,
                learner: member.is_learner,
            })
            .collect();
        members.sort();
        Ok(members)
    }

    /// This node's own etcd. Hangs until the deadline while that is not up.
    pub async fn etcd_status(&self) -> Result<EtcdStatus, Error> {
        const CALL: &str = "EtcdStatus";
        let answer = self
            .machine(CALL, Repeat::Yes, |mut api| async move { Ok(api.etcd_status(self.request(())).await?.into_inner()) })
            .await?;
        let status = self.only(CALL, answer.messages)?.member_status.unwrap_or_default();
        Ok(EtcdStatus { member: status.member_id, leader: status.leader, learner: status.is_learner, errors: status.errors })
    }

    /// Moves the leadership to another member, whose name is answered; `None` where this node did not lead.
    pub async fn etcd_forfeit_leadership(&self) -> Result<Option<String>, Error> {
        const CALL: &str = "EtcdForfeitLeadership";
        let answer = self
            .machine(CALL, Repeat::No, |mut api| async move {
                Ok(api.etcd_forfeit_leadership(self.request(wire::EtcdForfeitLeadershipRequest::default())).await?.into_inner())
            })
            .await?;
        Ok(Some(self.only(CALL, answer.messages)?.member).filter(|member| !member.is_empty()))
    }

    /// Takes this node's member out of the cluster, stops its etcd and wipes its data.
    pub async fn etcd_leave_cluster(&self) -> Result<(), Error> {
        const CALL: &str = "EtcdLeaveCluster";
        let answer = self
            .machine(CALL, Repeat::No, |mut api| async move {
                Ok(api.etcd_leave_cluster(self.request(wire::EtcdLeaveClusterRequest::default())).await?.into_inner())
            })
            .await?;
        self.only(CALL, answer.messages).map(drop)
    }

    /// Takes another member out, whose node is gone. Unknown ids are [`ErrorKind::NotFound`](super::ErrorKind::NotFound).
    pub async fn etcd_remove_member(&self, id: u64) -> Result<(), Error> {
        const CALL: &str = "EtcdRemoveMemberByID";
        let answer = self
            .machine(CALL, Repeat::No, |mut api| async move {
                Ok(api
                    .etcd_remove_member_by_id(self.request(wire::EtcdRemoveMemberByIdRequest { member_id: id }))
                    .await?
                    .into_inner())
            })
            .await?;
        self.only(CALL, answer.messages).map(drop)
    }
}
