//! IAM's rules: roles that take time to spread, and that go only when they are empty.

use std::time::Instant;

use http::StatusCode;

use super::answer::{Answer, Refusal};
use super::moto::IAM_VERSION;
use super::parameters::Parameters;
use super::request::Request;
use super::xml::Element;
use super::{Cloud, caller, tags};

/// Actions whose answers were compared with what AWS does.
pub(crate) const REVIEWED: &[&str] = &[
    "CreateRole",
    "DeleteRole",
    "DeleteRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListInstanceProfilesForRole",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "PutRolePolicy",
    "TagRole",
    "UntagRole",
    "UpdateAssumeRolePolicy",
];

pub(crate) async fn carry_out(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let name = request.parameters.get("RoleName").unwrap_or_default();
    tags::check_characters(request)?;
    match request.action.as_str() {
        "CreateRole" => {
            let answer = cloud.moto.forward(request, account).await?;
            if answer.is_ok() {
                let now = Instant::now();
                let id = format!("role/{account}/{name}");
                let mut state = cloud.state();
                state.born("CreateRole", &id, now + cloud.config.timing.visible_after);
                let usable_from = now + cloud.config.timing.role_usable_after;
                state.roles_usable_from.insert((account.to_owned(), name.to_owned()), usable_from);
            }
            Ok(answer)
        }
        "GetRole" if cloud.state().hides(&format!("role/{account}/{name}")) => {
            Err(Refusal::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
                .with_status(StatusCode::NOT_FOUND))
        }
        "DeleteRolePolicy" => {
            let answer = cloud.moto.forward(request, account).await?;
            if answer.is_ok() {
                let known_from = Instant::now() + cloud.config.timing.role_policy_gone_after;
                cloud.state().role_policies_known_from.insert((account.to_owned(), name.to_owned()), known_from);
            }
            Ok(answer)
        }
        "DeleteRole" => {
            let known_from = cloud.state().role_policies_known_from.get(&(account.to_owned(), name.to_owned())).copied();
            if known_from.is_some_and(|from| from > Instant::now()) {
                return Err(conflict("must delete policies first."));
            }
            check_empty(cloud, request, account, name).await?;
            let answer = cloud.moto.forward(request, account).await?;
            if answer.is_ok() {
                cloud.state().roles_usable_from.remove(&(account.to_owned(), name.to_owned()));
            }
            Ok(answer)
        }
        _ => cloud.moto.forward(request, account).await,
    }
}

async fn check_empty(cloud: &Cloud, request: &Request, account: &str, name: &str) -> Result<(), Refusal> {
    let listings = [
        ("ListRolePolicies", "PolicyNames", "must delete policies first."),
        ("ListAttachedRolePolicies", "AttachedPolicies", "must detach all policies first."),
        ("ListInstanceProfilesForRole", "InstanceProfiles", "must remove roles from instance profile first."),
    ];
    for (action, list, remedy) in listings {
        let query = Parameters::of(action, IAM_VERSION, &[("RoleName", name)]);
        let tree = cloud.moto.query("iam", caller(request, account), &query).await?;
        let result = format!("{action}Result");
        let filled = tree.at(&[&result, list]).is_some_and(|list: &Element| list.elements().next().is_some());
        if filled {
            return Err(conflict(remedy));
        }
    }
    Ok(())
}

fn conflict(remedy: &str) -> Refusal {
    Refusal::new("DeleteConflict", format!("Cannot delete entity, {remedy}")).with_status(StatusCode::CONFLICT)
}
