//! Who may act on a cloud object: the claim that its root bears, and what create, refresh and delete make of it.
//!
//! A root is the first cloud object of a resource (region: network, cluster: firewall, backup: bucket). It bears a random
//! claim that also stands in the resource's row of state. Core stores a row only after the provider has answered, so a
//! killed create leaves a root without a row; the marks on the root tell it from one that some state remembers:
//!
//! | marks | means | a create | a refresh with its claim |
//! | --- | --- | --- | --- |
//! | none | a create did not end | goes on from it under a new claim | keeps the row, `unfinished` |
//! | finished | a create ended, its row may be lost | takes it up under a new claim | marks it in-state |
//! | finished, in-state | a row of some state holds it | is refused: import it | keeps the row |

use std::collections::BTreeMap;

use clouds::{Claim, Cloud, Kind, Mark, Root, Scope};
use serde::{Deserialize, Serialize};
use tf_provider::{Diagnostic, Diagnostics, path};

use crate::diagnostics;

/// `status` of a row whose create has not run to its end.
pub(crate) const UNFINISHED: &str = "unfinished";
/// `status` of a row whose create has run to its end.
pub(crate) const READY: &str = "ready";

/// `status` of the row that belongs to a root.
pub(crate) const fn status(root: &Root) -> &'static str {
    if root.finished { READY } else { UNFINISHED }
}

/// What a create does about what stands already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision<'a> {
    /// Nothing stands: begin under a new claim.
    New,
    /// A create of ours stands that no state remembers: go on from it under a new claim.
    TakeUp {
        /// The one to go on from.
        root: &'a Root,
        /// Further ones of that name, which two creates at the same time have left; they are to be removed.
        surplus: Vec<Root>,
    },
    /// A row of some state holds it.
    InState(&'a Root),
}

/// Looks among the roots of one kind in one place for those of `scope` and `name`.
pub(crate) fn decide<'a>(roots: &'a [Root], scope: &Scope, name: &str) -> Decision<'a> {
    let mut ours: Vec<&Root> = roots.iter().filter(|root| root.scope == *scope && root.name == name).collect();
    if let Some(held) = ours.iter().find(|root| root.in_state) {
        return Decision::InState(held);
    }
    // The same choice in every run: the finished one, then the lowest id.
    ours.sort_by(|a, b| b.finished.cmp(&a.finished).then_with(|| a.id.cmp(&b.id)));
    let mut ours = ours.into_iter();
    match ours.next() {
        None => Decision::New,
        Some(root) => Decision::TakeUp { root, surplus: ours.filter(|root| !root.finished).cloned().collect() },
    }
}

/// The root that bears a row's claim, if there still is one. A root with another claim belongs to another row: to this one
/// the object is gone.
pub(crate) fn owned<'a>(roots: &'a [Root], claim: &str) -> Option<&'a Root> {
    roots.iter().find(|root| root.claim.as_ref().is_some_and(|found| found.0 == claim))
}

/// Marks a finished root as held by a row of state. A plan with read-only credentials must pass, so a refusal is logged only.
pub(crate) async fn mark_in_state(cloud: &dyn Cloud, root: &Root) {
    if root.finished
        && !root.in_state
        && let Err(error) = cloud.mark(root, &Mark::InState).await
    {
        tracing::info!(root = root.id, %error, "the root could not be marked as held by a state");
    }
}

/// The root that an import id means, with the claim for its row.
///
/// The claim that the root bears is kept, so that an import changes nothing in the cloud. Only a root that somebody
/// stripped of its claim gets a new one.
pub(crate) async fn import(
    cloud: &dyn Cloud,
    kind: Kind,
    scope: &Scope,
    name: &str,
) -> Result<Option<(Root, Claim)>, clouds::Error> {
    let roots = cloud.roots(kind).await?;
    let mut candidates: Vec<&Root> = roots.iter().filter(|root| root.scope == *scope && root.name == name).collect();
    candidates.sort_by(|a, b| (b.in_state, b.finished).cmp(&(a.in_state, a.finished)).then_with(|| a.id.cmp(&b.id)));
    let Some(root) = candidates.first() else { return Ok(None) };
    if let Some(claim) = &root.claim {
        return Ok(Some(((*root).clone(), claim.clone())));
    }
    let claim = Claim::random();
    cloud.mark(root, &Mark::Claim(claim.clone())).await?;
    if root.finished {
        cloud.mark(root, &Mark::Finished).await?;
    }
    Ok(Some(((*root).clone(), claim)))
}

/// Planned private data of a create: what the plan makes, so that the delete half of a replacement can tell whether the
/// object that it is about to remove is the one that the create half would go on from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remake {
    /// `id` of the planned row; empty in plans that make nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    id: String,
    /// What cannot be changed once the root stands, such as a network's address range; by attribute name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fixed: BTreeMap<String, String>,
}

impl Remake {
    /// Notes what a create will make. `fixed` holds each value that decides whether the standing object serves.
    pub(crate) fn of<const N: usize>(id: &str, fixed: [(&str, String); N]) -> Self {
        Self { id: id.to_owned(), fixed: fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    /// Whether the delete half of a replacement leaves its object for the create half: the row says unfinished and the same
    /// plan makes the same thing again. `standing` is made of the row that is deleted.
    pub(crate) fn keeps(&self, standing: &Self, status: Option<&str>) -> bool {
        status == Some(UNFINISHED) && !self.id.is_empty() && self == standing
    }
}

/// How messages call a kind of resource, and which resource it is.
pub(crate) const fn resource_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Region => "inferadb_region",
        Kind::Cluster => "inferadb_cluster",
        Kind::Backup => "inferadb_fdb_backup",
    }
}

/// The error of a create, or of its plan, that meets a root which a row of some state holds.
pub(crate) fn held_by_a_state(root: &Root, import_id: &str) -> Diagnostic {
    let resource = resource_type(root.kind);
    Diagnostic::error(format!("`{resource}` `{}` exists already and stands in a Terraform state", root.name))
        .detail(format!(
            "`{}` was made for it, in environment `{}`, region `{}`, and some other state holds it. Nothing was made or changed.\n\n\
             To manage it from here, remove it from that other state and import it:\n\n    \
             terraform import {resource}.LABEL {import_id}\n\n\
             If this plan replaces the object itself: with `create_before_destroy` in its `lifecycle` block two objects of one name \
             would have to stand at once, so remove that, or give the new object another name; and `-refresh=false` hides from the \
             plan that the object stands in this very state, so plan without it.",
            root.id, root.scope.environment, root.scope.region,
        ))
        .at(path!("name"))
}

/// What a plan says of a root that its create will meet. `becomes` tells in sentences what stands and what is made of it,
/// where that is known; `seen` whether a row of this very state holds the root, which the plan then replaces.
///
/// # Errors
///
/// Where another state holds the root: the create would be refused.
pub(crate) fn announce(
    decision: &Decision<'_>,
    import_id: &str,
    becomes: Option<&str>,
    seen: bool,
) -> Result<Option<Diagnostic>, Diagnostic> {
    match decision {
        Decision::New => Ok(None),
        Decision::InState(_) if seen => Ok(None),
        Decision::InState(root) => Err(held_by_a_state(root, import_id)),
        Decision::TakeUp { root, .. } => {
            let resource = resource_type(root.kind);
            let why = if root.finished {
                "It is finished, but no refresh has seen it in a state since, as when a run ends before its state is written."
            } else {
                "A create that did not end has left it."
            };
            let becomes = becomes.unwrap_or("The apply takes it up and makes what is missing.");
            Ok(Some(
                Diagnostic::warning(format!("`{resource}` `{}` stands already", root.name))
                    .detail(format!("`{}` exists. {why} {becomes}", root.id)),
            ))
        }
    }
}

/// Takes a root under a new claim for a create, and removes the surplus ones of its name.
pub(crate) async fn take_up(cloud: &dyn Cloud, root: &Root, surplus: &[Root], claim: &Claim) -> Result<(), Diagnostics> {
    let doing = format!("Cannot take up `{}` `{}`", resource_type(root.kind), root.name);
    cloud.mark(root, &Mark::Claim(claim.clone())).await.map_err(|error| diagnostics::cloud(&doing, &error))?;
    for extra in surplus {
        let doing = format!("Cannot remove `{}`, a second `{}` `{}`", extra.id, resource_type(extra.kind), extra.name);
        remove(cloud, extra).await.map_err(|error| diagnostics::cloud(&doing, &error))?;
    }
    Ok(())
}

/// Removes an unfinished root, whose row nobody has, with all that belongs to it. Objects in a bucket are not deleted.
pub(crate) async fn remove(cloud: &dyn Cloud, root: &Root) -> Result<(), clouds::Error> {
    let claim = Claim::random();
    cloud.mark(root, &Mark::Claim(claim.clone())).await?;
    match root.kind {
        Kind::Region => cloud.delete_region(&root.id, &claim).await,
        Kind::Cluster => cloud.delete_cluster(&root.id, &claim).await,
        Kind::Backup => cloud.delete_backup(&root.id, &claim, false).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope { environment: "production".into(), region: "nyc1".into() }
    }

    fn root(id: &str, finished: bool, in_state: bool) -> Root {
        Root {
            kind: Kind::Region,
            id: id.into(),
            scope: scope(),
            name: "nyc1".into(),
            claim: Some(Claim(format!("claim-of-{id}"))),
            finished,
            in_state,
            cidr: None,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn a_create_decides_by_the_marks() {
        struct Case {
            roots: Vec<Root>,
            expect: &'static str,
        }
        let elsewhere =
            Root { scope: Scope { environment: "staging".into(), region: "nyc1".into() }, ..root("vpc-9", true, true) };
        let table = [
            Case { roots: vec![], expect: "new" },
            Case { roots: vec![elsewhere], expect: "new" },
            Case { roots: vec![root("vpc-1", false, false)], expect: "take up vpc-1" },
            Case { roots: vec![root("vpc-1", true, false)], expect: "take up vpc-1" },
            Case { roots: vec![root("vpc-1", true, true)], expect: "in state vpc-1" },
            Case { roots: vec![root("vpc-2", false, false), root("vpc-1", false, false)], expect: "take up vpc-1, remove vpc-2" },
            Case { roots: vec![root("vpc-1", false, false), root("vpc-2", true, false)], expect: "take up vpc-2, remove vpc-1" },
            Case { roots: vec![root("vpc-1", true, false), root("vpc-2", true, false)], expect: "take up vpc-1" },
            Case { roots: vec![root("vpc-1", false, false), root("vpc-2", true, true)], expect: "in state vpc-2" },
        ];
        for Case { roots, expect } in table {
            let said = match decide(&roots, &scope(), "nyc1") {
                Decision::New => "new".to_owned(),
                Decision::InState(root) => format!("in state {}", root.id),
                Decision::TakeUp { root, surplus } => {
                    surplus.iter().fold(format!("take up {}", root.id), |said, extra| format!("{said}, remove {}", extra.id))
                }
            };
            assert_eq!(said, expect);
        }
    }

    #[test]
    fn a_row_owns_the_root_with_its_claim_and_no_other() {
        let roots = [root("vpc-1", true, true), Root { claim: None, ..root("vpc-2", true, true) }];
        assert_eq!(owned(&roots, "claim-of-vpc-1").map(|root| root.id.as_str()), Some("vpc-1"));
        assert_eq!(owned(&roots, "claim-of-vpc-2"), None);
        assert_eq!(owned(&roots, ""), None);
    }

    #[test]
    fn a_delete_half_keeps_only_what_the_same_plan_makes_again() {
        let made = Remake::of("production/aws/us-east-1/nyc1", [("cidr_block", "10.10.0.0/16".into())]);
        assert!(made.keeps(&made.clone(), Some(UNFINISHED)));
        assert!(!made.keeps(&made.clone(), Some(READY)), "a finished one is really replaced");
        assert!(!made.keeps(&made.clone(), None));
        let other_range = Remake::of("production/aws/us-east-1/nyc1", [("cidr_block", "10.20.0.0/16".into())]);
        assert!(!made.keeps(&other_range, Some(UNFINISHED)), "a network's range cannot be changed");
        assert!(!Remake::default().keeps(&Remake::default(), Some(UNFINISHED)), "a real destroy makes nothing again");
    }

    #[test]
    fn a_note_survives_the_way_through_core() {
        let made = Remake::of("production/aws/us-east-1/nyc1", [("cidr_block", "10.10.0.0/16".into())]);
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Remake>(&text).unwrap(), made);
        assert_eq!(serde_json::from_str::<Remake>("{}").unwrap(), Remake::default());
    }

    #[test]
    fn a_plan_says_what_its_create_will_meet() {
        let said = |root: &Root, becomes: Option<&str>, seen: bool| {
            let roots = std::slice::from_ref(root);
            match announce(&decide(roots, &scope(), "nyc1"), "production/aws/us-east-1/nyc1", becomes, seen) {
                Ok(warning) => warning.map(|warning| warning.to_string()).unwrap_or_default(),
                Err(error) => format!("error: {}", error.summary()),
            }
        };
        insta::assert_snapshot!(
            said(&root("vpc-1", false, false), Some("The network and 2 subnets exist and are kept."), false),
            @"`inferadb_region` `nyc1` stands already: `vpc-1` exists. A create that did not end has left it. The network and 2 subnets exist and are kept."
        );
        insta::assert_snapshot!(
            said(&root("vpc-1", true, false), None, false),
            @"`inferadb_region` `nyc1` stands already: `vpc-1` exists. It is finished, but no refresh has seen it in a state since, as when a run ends before its state is written. The apply takes it up and makes what is missing."
        );
        insta::assert_snapshot!(said(&root("vpc-1", true, true), None, false), @"error: `inferadb_region` `nyc1` exists already and stands in a Terraform state");
        assert_eq!(said(&root("vpc-1", true, true), None, true), "");
    }

    #[test]
    fn a_create_that_meets_a_held_root_says_how_to_import_it() {
        insta::assert_snapshot!(held_by_a_state(&root("vpc-1", true, true), "production/aws/us-east-1/nyc1"), @r"
        name: `inferadb_region` `nyc1` exists already and stands in a Terraform state: `vpc-1` was made for it, in environment `production`, region `nyc1`, and some other state holds it. Nothing was made or changed.

        To manage it from here, remove it from that other state and import it:

            terraform import inferadb_region.LABEL production/aws/us-east-1/nyc1

        If this plan replaces the object itself: with `create_before_destroy` in its `lifecycle` block two objects of one name would have to stand at once, so remove that, or give the new object another name; and `-refresh=false` hides from the plan that the object stands in this very state, so plan without it.
        ");
    }

    #[test]
    fn only_a_finished_root_gives_a_ready_row() {
        assert_eq!(status(&root("vpc-1", true, false)), READY);
        assert_eq!(status(&root("vpc-1", false, false)), UNFINISHED);
    }
}
