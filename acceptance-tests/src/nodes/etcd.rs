//! etcd clusters: members, leadership, and which changes etcd itself refuses.
//!
//! The rules are those of etcd's server with its strict reconfiguration check, which is on by default.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A member on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u64,
    /// Empty until it has started.
    pub(super) name: String,
    /// The machine that it is on.
    pub(super) instance: String,
    pub(super) address: Ipv4Addr,
    pub(super) learner: bool,
}

/// Why etcd refuses a change of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("etcdserver: member not found")]
    NotFound,
    #[error("etcdserver: re-configuration failed due to not enough started members")]
    NotEnoughStarted,
    #[error("etcdserver: unhealthy cluster")]
    Unhealthy,
    #[error("etcdserver: too many learner members in cluster")]
    TooManyLearners,
    /// Nobody answers: the caller waits until its own deadline.
    #[error("etcdserver: no leader")]
    NoLeader,
}

/// One cluster of members that know each other.
#[derive(Clone, Debug)]
pub(super) struct Etcd {
    /// What tells clusters of machines apart: the Talos CA.
    pub(super) owner: String,
    pub(super) members: Vec<Member>,
    pub(super) leader: u64,
    pub(super) term: u64,
    pub(super) index: u64,
}

impl Etcd {
    /// A cluster of one.
    pub(super) fn new(owner: String, first: Member) -> Self {
        Self { owner, leader: first.id, members: vec![first], term: 2, index: 8 }
    }

    pub(super) fn member(&self, id: u64) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.learner)
    }

    /// Whether enough voters of those that are up agree on a leader.
    pub(super) fn has_quorum(&self, up: &BTreeSet<u64>) -> bool {
        let voters = self.voters().count();
        self.voters().filter(|member| up.contains(&member.id)).count() > voters / 2
    }

    /// Elects a new leader if the present one is down or no voter.
    pub(super) fn elect(&mut self, up: &BTreeSet<u64>) {
        let fit = |member: &Member| !member.learner && up.contains(&member.id);
        if !self.has_quorum(up) || self.member(self.leader).is_some_and(fit) {
            return;
        }
        if let Some(next) = self.members.iter().find(|member| fit(member)).map(|member| member.id) {
            self.leader = next;
            self.term += 1;
        }
    }

    /// Lists a new member as a learner.
    pub(super) fn add_learner(&mut self, member: Member, up: &BTreeSet<u64>) -> Result<(), Refusal> {
        if !self.has_quorum(up) {
            return Err(Refusal::NoLeader);
        }
        if self.members.iter().any(|member| member.learner) {
            return Err(Refusal::TooManyLearners);
        }
        if self.voters().any(|voter| !up.contains(&voter.id)) {
            return Err(Refusal::Unhealthy);
        }
        self.members.push(member);
        self.members.sort_by_key(|member| member.id);
        self.index += 1;
        Ok(())
    }

    /// Makes a learner a voter.
    pub(super) fn promote(&mut self, id: u64, up: &BTreeSet<u64>) -> bool {
        if !self.has_quorum(up) || !up.contains(&id) {
            return false;
        }
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { return false };
        member.learner = false;
        self.index += 1;
        true
    }

    /// Strikes a member off the list.
    pub(super) fn remove(&mut self, id: u64, up: &BTreeSet<u64>) -> Result<(), Refusal> {
        if !self.has_quorum(up) {
            return Err(Refusal::NoLeader);
        }
        let Some(member) = self.member(id) else { return Err(Refusal::NotFound) };
        if !member.learner {
            let others: Vec<&Member> = self.voters().filter(|voter| voter.id != id).collect();
            let started = others.iter().filter(|voter| !voter.name.is_empty()).count();
            if started < others.len() / 2 + 1 {
                return Err(Refusal::NotEnoughStarted);
            }
            let voters = others.len() + 1;
            let active = self.voters().filter(|voter| up.contains(&voter.id)).count();
            // One that is down is no part of what agrees now.
            if up.contains(&id) && active - 1 < 1 + (voters - 1) / 2 {
                return Err(Refusal::Unhealthy);
            }
        }
        self.members.retain(|member| member.id != id);
        self.index += 1;
        self.elect(up);
        Ok(())
    }

    /// Hands leadership on; the name of the new leader if `id` had it.
    pub(super) fn move_leader(&mut self, id: u64, up: &BTreeSet<u64>) -> Option<String> {
        if self.leader != id {
            return None;
        }
        let next = self.members.iter().find(|member| member.id != id && !member.learner && up.contains(&member.id))?;
        let (next, name) = (next.id, next.name.clone());
        self.leader = next;
        self.term += 1;
        self.index += 1;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, learner: bool) -> Member {
        Member { id, name: format!("g{id}"), instance: format!("i-{id}"), address: Ipv4Addr::LOCALHOST, learner }
    }

    fn cluster(voters: u64) -> Etcd {
        let mut etcd = Etcd::new("a".to_owned(), member(1, false));
        etcd.members.extend((2..=voters).map(|id| member(id, false)));
        etcd
    }

    fn up(ids: &[u64]) -> BTreeSet<u64> {
        ids.iter().copied().collect()
    }

    #[test]
    fn the_last_member_cannot_leave() {
        assert_eq!(cluster(1).remove(1, &up(&[1])), Err(Refusal::NotEnoughStarted));
    }

    #[test]
    fn one_of_two_may_leave_while_both_are_up() {
        let mut etcd = cluster(2);
        assert_eq!(etcd.remove(1, &up(&[1, 2])), Ok(()));
        assert_eq!((etcd.leader, etcd.term), (2, 3));
    }

    #[test]
    fn without_quorum_nothing_changes() {
        assert_eq!(cluster(2).remove(2, &up(&[1])), Err(Refusal::NoLeader));
        assert_eq!(cluster(2).add_learner(member(3, true), &up(&[1])), Err(Refusal::NoLeader));
    }

    #[test]
    fn of_three_the_dead_one_may_go_and_a_living_one_may_not() {
        assert_eq!(cluster(3).remove(3, &up(&[1, 2])), Ok(()));
        assert_eq!(cluster(3).remove(2, &up(&[1, 2])), Err(Refusal::Unhealthy));
    }

    #[test]
    fn a_learner_comes_alone_and_only_while_all_are_up() {
        let mut etcd = cluster(3);
        assert_eq!(etcd.add_learner(member(4, true), &up(&[1, 2])), Err(Refusal::Unhealthy));
        assert_eq!(etcd.add_learner(member(4, true), &up(&[1, 2, 3])), Ok(()));
        assert_eq!(etcd.add_learner(member(5, true), &up(&[1, 2, 3])), Err(Refusal::TooManyLearners));
        assert!(etcd.promote(4, &up(&[1, 2, 3, 4])));
        assert_eq!(etcd.add_learner(member(5, true), &up(&[1, 2, 3, 4])), Ok(()));
    }

    #[test]
    fn only_the_leader_hands_leadership_on() {
        let mut etcd = cluster(3);
        assert_eq!(etcd.move_leader(2, &up(&[1, 2, 3])), None);
        assert_eq!(etcd.move_leader(1, &up(&[1, 2, 3])), Some("g2".to_owned()));
    }
}
