//! etcd's membership as all of its nodes see it, and the quorum that a change must leave.

use std::collections::BTreeMap;

use tokio::{sync::Mutex, time::Instant};

use super::{
    Error, Progress,
    wait::{ASK_WITHIN, Look, Patience, some_of, until},
};
use crate::client::{self, Clients, EtcdMember, EtcdStatus};

/// What one control-plane node says.
pub(super) type Lists = BTreeMap<String, Result<Vec<EtcdMember>, client::Error>>;

/// Waits until etcd has exactly `count` members, each a voter, on every control-plane node's own list. Answers them.
///
/// A joining member first has no name, then is a learner for a quarter of a minute, and counts after that.
pub async fn wait_etcd(
    clients: &Clients,
    control_plane: &[String],
    count: usize,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<Vec<EtcdMember>, Error> {
    const STEP: &str = "etcd";
    let patience = &Mutex::new(Patience::default());
    until(STEP, deadline, progress, || async move {
        let lists = lists(clients, control_plane).await;
        let lists = bear(STEP, lists, &mut *patience.lock().await)?;
        Ok(judge(&lists, count))
    })
    .await
}

/// Each node's own member list.
pub(super) async fn lists(clients: &Clients, control_plane: &[String]) -> Lists {
    clients.each(control_plane, ASK_WITHIN, |node| async move { node.etcd_members().await }).await
}

/// Ends the waiting for an answer that it does not mend.
pub(super) fn bear(step: &'static str, lists: Lists, patience: &mut Patience) -> Result<Lists, Error> {
    lists
        .into_iter()
        .map(|(address, list)| match list {
            Ok(list) => Ok((address, Ok(list))),
            Err(error) => patience.bear(error).map(|error| (address, Err(error))).map_err(|source| Error::Node { step, source }),
        })
        .collect()
}

fn judge(lists: &Lists, count: usize) -> Look<Vec<EtcdMember>> {
    let mut in_the_way = Vec::new();
    for (address, list) in lists {
        match list {
            Err(error) => in_the_way.push(error.to_string()),
            Ok(list) => {
                if let Some(why) = unfinished(list, count) {
                    in_the_way.push(format!("`{address}` {why}"));
                }
            }
        }
    }
    let mut agreed: Vec<&Vec<EtcdMember>> = lists.values().flatten().collect();
    agreed.dedup_by_key(|list| list.iter().map(|member| member.id).collect::<Vec<_>>());
    match (in_the_way.is_empty(), agreed.as_slice()) {
        (true, [members]) => Look::Done((*members).clone()),
        (true, []) => Look::NotYet("no node was asked".to_owned()),
        (true, _) => Look::NotYet("the nodes list different members: there is more than one etcd cluster".to_owned()),
        (false, _) => Look::NotYet(some_of(&in_the_way)),
    }
}

/// Why a list is not that of `count` voters.
fn unfinished(list: &[EtcdMember], count: usize) -> Option<String> {
    if list.len() != count {
        return Some(format!("lists {} of {count} members", list.len()));
    }
    list.iter().find_map(|member| match (member.name.as_str(), member.learner) {
        ("", _) => Some("lists a member that has not started".to_owned()),
        (name, true) => Some(format!("lists `{name}` as a learner")),
        _ => None,
    })
}

/// How many of `voters` are a majority.
pub(super) fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// What etcd looks like for a change that concerns one node.
pub(super) struct Others {
    /// The members that the other nodes agree on.
    pub(super) members: Vec<EtcdMember>,
    /// Voters among the other nodes that are up, have a leader and no complaint.
    pub(super) healthy: usize,
}

impl Others {
    pub(super) fn voters(&self) -> usize {
        self.members.iter().filter(|member| !member.learner).count()
    }
}

/// Looks at etcd through all nodes but `without`; says why where they do not agree.
pub(super) async fn others(clients: &Clients, control_plane: &[String], without: &str) -> Result<Others, String> {
    let rest: Vec<&String> = control_plane.iter().filter(|address| *address != without).collect();
    let seen =
        clients.each(rest, ASK_WITHIN, |node| async move { Ok((node.etcd_members().await?, node.etcd_status().await?)) }).await;
    summarise(seen)
}

fn summarise(seen: BTreeMap<String, Result<(Vec<EtcdMember>, EtcdStatus), client::Error>>) -> Result<Others, String> {
    let mut agreed: Option<Vec<EtcdMember>> = None;
    let mut healthy = 0;
    let mut silent = Vec::new();
    for (address, answer) in seen {
        match answer {
            Ok((members, status)) => {
                if status.leader != 0 && !status.learner && status.errors.is_empty() {
                    healthy += 1;
                }
                match &agreed {
                    Some(known) if *known != members => {
                        return Err(format!("`{address}` lists other members than the rest"));
                    }
                    Some(_) => {}
                    None => agreed = Some(members),
                }
            }
            Err(error) => silent.push(error.to_string()),
        }
    }
    match agreed {
        Some(members) => Ok(Others { members, healthy }),
        None if silent.is_empty() => Err("there is no other control-plane node".to_owned()),
        None => Err(some_of(&silent)),
    }
}

/// Waits until etcd can do without `node` for a while (a reboot, an upgrade): the other nodes' healthy voters are a
/// majority of all. A single control-plane node passes: its downtime is the caller's to announce.
pub async fn wait_quorum_without(
    clients: &Clients,
    control_plane: &[String],
    node: &str,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    const STEP: &str = "etcd quorum";
    if control_plane.iter().all(|address| address == node) {
        return Ok(());
    }
    until(STEP, deadline, progress, || async move {
        Ok(match others(clients, control_plane, node).await {
            Err(why) => Look::NotYet(why),
            Ok(others) => {
                let (voters, healthy) = (others.voters(), others.healthy);
                let needed = majority(voters);
                if healthy >= needed {
                    Look::Done(())
                } else {
                    Look::NotYet(format!("without `{node}`, {healthy} of {voters} voters are healthy, and {needed} are needed"))
                }
            }
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, name: &str, learner: bool) -> EtcdMember {
        EtcdMember { id, name: name.to_owned(), peer_urls: Vec::new(), client_urls: Vec::new(), learner }
    }

    fn three() -> Vec<EtcdMember> {
        vec![member(1, "a", false), member(2, "b", false), member(3, "c", false)]
    }

    fn look(lists: Vec<Vec<EtcdMember>>, count: usize) -> Result<usize, String> {
        let lists = lists.into_iter().enumerate().map(|(at, list)| (format!("10.0.0.{at}"), Ok(list))).collect();
        match judge(&lists, count) {
            Look::Done(members) => Ok(members.len()),
            Look::NotYet(why) => Err(why),
        }
    }

    #[test]
    fn all_lists_with_all_voters_are_done() {
        assert_eq!(look(vec![three(), three(), three()], 3), Ok(3));
        assert_eq!(look(vec![vec![member(1, "a", false)]], 1), Ok(1));
    }

    #[test]
    fn one_list_that_lags_is_not() {
        assert_eq!(look(vec![three(), three()[..2].to_vec()], 3), Err("`10.0.0.1` lists 2 of 3 members".to_owned()));
    }

    #[test]
    fn a_learner_or_a_member_without_a_name_is_not() {
        let learner = vec![member(1, "a", false), member(2, "b", false), member(3, "c", true)];
        assert_eq!(
            look(vec![learner.clone(), learner], 3),
            Err("`10.0.0.0` lists `c` as a learner; `10.0.0.1` lists `c` as a learner".to_owned())
        );
        let nameless = vec![member(1, "a", false), member(2, "", false)];
        assert_eq!(look(vec![nameless], 2), Err("`10.0.0.0` lists a member that has not started".to_owned()));
    }

    #[test]
    fn two_clusters_of_one_are_not_one_of_one() {
        let why = look(vec![vec![member(1, "a", false)], vec![member(2, "b", false)]], 1);
        assert_eq!(why, Err("the nodes list different members: there is more than one etcd cluster".to_owned()));
    }

    #[test]
    fn majorities() {
        assert_eq!([1, 2, 3, 4, 5, 7].map(majority), [1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn a_node_without_a_leader_or_with_a_complaint_is_not_healthy() {
        let status = |leader, learner, errors: &[&str]| EtcdStatus {
            member: 1,
            leader,
            learner,
            errors: errors.iter().map(ToString::to_string).collect(),
        };
        let seen = [status(1, false, &[]), status(0, false, &[]), status(1, true, &[]), status(1, false, &["no space"])]
            .into_iter()
            .enumerate()
            .map(|(at, status)| (at.to_string(), Ok((three(), status))))
            .collect();
        assert_eq!(summarise(seen).map(|others| others.healthy), Ok(1));
    }

    proptest::proptest! {
        #[test]
        fn done_means_the_same_voters_on_every_list(
            lists in proptest::collection::vec(
                proptest::collection::vec((0..3_u64, proptest::bool::weighted(0.9), proptest::bool::weighted(0.1)), 0..4), 0..4,
            ),
            count in 1..4_usize,
        ) {
            let lists: Vec<Vec<EtcdMember>> = lists
                .into_iter()
                .map(|list| list.into_iter().map(|(id, named, learner)| member(id, if named { "x" } else { "" }, learner)).collect())
                .collect();
            let good = |list: &Vec<EtcdMember>| list.len() == count && list.iter().all(|member| member.name == "x" && !member.learner);
            let ids = |list: &Vec<EtcdMember>| list.iter().map(|member| member.id).collect::<Vec<_>>();
            let expected = !lists.is_empty() && lists.iter().all(|list| good(list) && ids(list) == ids(&lists[0]));
            proptest::prop_assert_eq!(look(lists, count).is_ok(), expected);
        }
    }
}
