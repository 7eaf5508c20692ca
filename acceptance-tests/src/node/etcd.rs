//! etcd's membership, as far as nodes and their callers see it. Data is not kept.

use std::net::Ipv4Addr;

/// A member of an etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u64,
    /// Empty until it has started.
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) learner: bool,
    /// Its process runs.
    pub(super) up: bool,
}

/// One etcd: those that know each other.
#[derive(Clone, Debug)]
pub(super) struct Etcd {
    /// The CA that its members trust, PEM.
    authority: String,
    pub(super) members: Vec<Member>,
    pub(super) leader: Option<u64>,
    pub(super) term: u64,
}

/// All of them. A cluster has one; a second one is a violation.
#[derive(Default)]
pub(super) struct Etcds {
    all: Vec<Etcd>,
}

/// Why a change of members is refused, in etcd's words.
pub(super) const UNHEALTHY: &str = "etcdserver: unhealthy cluster";
pub(super) const TOO_MANY_LEARNERS: &str = "etcdserver: too many learner members in cluster";
pub(super) const NOT_FOUND: &str = "etcdserver: member not found";

impl Etcd {
    fn voters(&self) -> usize {
        self.members.iter().filter(|member| !member.learner).count()
    }

    fn voters_up(&self) -> usize {
        self.members.iter().filter(|member| !member.learner && member.up).count()
    }

    /// Whether it can answer and be changed.
    pub(super) fn has_quorum(&self) -> bool {
        self.voters() > 0 && self.voters_up() > self.voters() / 2
    }

    pub(super) fn member(&self, id: u64) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    fn elect(&mut self) {
        let sits = self.leader.and_then(|id| self.member(id)).is_some_and(|member| member.up && !member.learner);
        if !self.has_quorum() {
            self.leader = None;
        } else if !sits {
            self.leader = self.members.iter().find(|member| member.up && !member.learner).map(|member| member.id);
            self.term += 1;
        }
    }
}

impl Etcds {
    /// A new etcd with one member. Answers whether another one of that authority exists already.
    pub(super) fn bootstrap(&mut self, authority: &str, name: &str, address: Ipv4Addr) -> (u64, bool) {
        let second = self.all.iter().any(|etcd| etcd.authority == authority && !etcd.members.is_empty());
        let id = rand::random::<u64>() | 1;
        let member = Member { id, name: name.to_owned(), address, learner: false, up: true };
        self.all.push(Etcd { authority: authority.to_owned(), members: vec![member], leader: Some(id), term: 2 });
        (id, second)
    }

    /// Adds a learner that has not started, to an etcd of that authority that can take one.
    pub(super) fn join(&mut self, authority: &str, address: Ipv4Addr) -> Result<u64, &'static str> {
        let etcd = self.all.iter_mut().find(|etcd| etcd.authority == authority && etcd.has_quorum()).ok_or(UNHEALTHY)?;
        if etcd.members.iter().any(|member| member.learner) {
            return Err(TOO_MANY_LEARNERS);
        }
        let id = rand::random::<u64>() | 1;
        etcd.members.push(Member { id, name: String::new(), address, learner: true, up: false });
        Ok(id)
    }

    pub(super) fn of(&self, id: u64) -> Option<&Etcd> {
        self.all.iter().find(|etcd| etcd.member(id).is_some())
    }

    fn of_mut(&mut self, id: u64) -> Option<&mut Etcd> {
        self.all.iter_mut().find(|etcd| etcd.member(id).is_some())
    }

    /// Its process starts (and learns its name), or ends.
    pub(super) fn set_up(&mut self, id: u64, name: Option<&str>, up: bool) {
        if let Some(etcd) = self.of_mut(id) {
            for member in etcd.members.iter_mut().filter(|member| member.id == id) {
                member.up = up;
                if let Some(name) = name {
                    name.clone_into(&mut member.name);
                }
            }
            etcd.elect();
        }
    }

    /// A learner that has caught up gets its vote. `false` while the etcd cannot decide that.
    pub(super) fn promote(&mut self, id: u64) -> bool {
        let Some(etcd) = self.of_mut(id) else { return false };
        if !etcd.has_quorum() {
            return false;
        }
        for member in etcd.members.iter_mut().filter(|member| member.id == id) {
            member.learner = false;
        }
        etcd.elect();
        true
    }

    /// Takes `gone` out, asked through `through`. etcd refuses what would leave it without quorum.
    pub(super) fn remove(&mut self, through: u64, gone: u64) -> Result<(), &'static str> {
        let etcd = self.of_mut(through).filter(|etcd| etcd.has_quorum()).ok_or(UNHEALTHY)?;
        let member = etcd.member(gone).cloned().ok_or(NOT_FOUND)?;
        let (voters, up) = if member.learner {
            (etcd.voters(), etcd.voters_up())
        } else {
            (etcd.voters() - 1, etcd.voters_up() - usize::from(member.up))
        };
        if voters > 0 && up <= voters / 2 {
            return Err(UNHEALTHY);
        }
        etcd.members.retain(|member| member.id != gone);
        etcd.elect();
        Ok(())
    }

    /// Moves the leadership away from `id`: to whom, or `None` where it does not lead. An error with one member.
    pub(super) fn forfeit(&mut self, id: u64) -> Result<Option<String>, &'static str> {
        let etcd = self.of_mut(id).ok_or(NOT_FOUND)?;
        if etcd.members.len() == 1 {
            return Err("cannot forfeit leadership, only one member");
        }
        if etcd.leader != Some(id) {
            return Ok(None);
        }
        let next = etcd.members.iter().find(|member| member.id != id && member.up && !member.learner).cloned();
        let next = next.ok_or(UNHEALTHY)?;
        etcd.leader = Some(next.id);
        etcd.term += 1;
        Ok(Some(next.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Etcds, [u64; 3]) {
        let mut etcds = Etcds::default();
        let at = |last| Ipv4Addr::new(127, 10, 0, last);
        let (first, second_etcd) = etcds.bootstrap("ca", "a", at(1));
        assert!(!second_etcd);
        let mut ids = [first, 0, 0];
        for (place, name) in [(1, "b"), (2, "c")] {
            let id = etcds.join("ca", at(2)).unwrap();
            etcds.set_up(id, Some(name), true);
            assert!(etcds.promote(id));
            ids[place] = id;
        }
        (etcds, ids)
    }

    #[test]
    fn one_learner_at_a_time() {
        let mut etcds = Etcds::default();
        etcds.bootstrap("ca", "a", Ipv4Addr::LOCALHOST);
        etcds.join("ca", Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(etcds.join("ca", Ipv4Addr::LOCALHOST), Err(TOO_MANY_LEARNERS));
        assert_eq!(etcds.join("another", Ipv4Addr::LOCALHOST), Err(UNHEALTHY));
    }

    #[test]
    fn a_second_bootstrap_is_seen() {
        let mut etcds = Etcds::default();
        etcds.bootstrap("ca", "a", Ipv4Addr::LOCALHOST);
        assert!(etcds.bootstrap("ca", "b", Ipv4Addr::LOCALHOST).1);
        assert!(!etcds.bootstrap("other", "c", Ipv4Addr::LOCALHOST).1);
    }

    #[test]
    fn removal_that_costs_the_quorum_is_refused() {
        let (mut etcds, [a, b, c]) = three();
        etcds.set_up(c, None, false);
        assert_eq!(etcds.remove(a, b), Err(UNHEALTHY));
        assert_eq!(etcds.remove(a, c), Ok(()));
        assert_eq!(etcds.remove(a, 12345), Err(NOT_FOUND));
    }

    #[test]
    fn without_quorum_there_is_no_leader() {
        let (mut etcds, [a, b, c]) = three();
        etcds.set_up(b, None, false);
        assert!(etcds.of(a).unwrap().has_quorum());
        etcds.set_up(c, None, false);
        assert_eq!(etcds.of(a).unwrap().leader, None);
    }
}
