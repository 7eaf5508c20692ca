//! Route 53's rules: caller references, what a change batch may say, and changes that take time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderValue, Method, StatusCode, header};

use super::answer::{Answer, Refusal};
use super::elbv2::canonical_zone;
use super::moto::Caller;
use super::request::{Request, digest};
use super::state::ReferenceUse;
use super::xml::Element;
use super::{Cloud, Error, caller};
use crate::ledger::Ticket;

/// Actions whose answers were compared with what AWS does.
pub(crate) const REVIEWED: &[&str] = &[
    "ChangeResourceRecordSets",
    "ChangeTagsForResource",
    "CreateHealthCheck",
    "DeleteHealthCheck",
    "GetChange",
    "GetHealthCheck",
    "GetHostedZone",
    "ListHealthChecks",
    "ListHostedZones",
    "ListHostedZonesByName",
    "ListResourceRecordSets",
    "ListTagsForResource",
    "ListTagsForResources",
    "UpdateHealthCheck",
];

/// Tags that a health check or a hosted zone can have.
const MOST_TAGS: usize = 10;

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// Makes a public hosted zone in the sandbox's own account.
pub(crate) async fn make_zone(cloud: &Cloud, name: &str) -> Result<(), Error> {
    let Some(own) = cloud.config.credentials.first() else { return Ok(()) };
    let body = Element::new("CreateHostedZoneRequest").leaf("Name", name).leaf("CallerReference", name);
    let caller = Caller { account: &own.account, region: "us-east-1" };
    let made = cloud.moto.rest("route53", caller, Method::POST, "/2013-04-01/hostedzone", with_namespace(body).document()).await;
    made.map(|_| ()).map_err(|refusal| Error::Refused {
        call: "route53:CreateHostedZone".to_owned(),
        code: refusal.code,
        message: refusal.message,
    })
}

fn with_namespace(mut element: Element) -> Element {
    element.attributes.push(("xmlns".to_owned(), NAMESPACE.to_owned()));
    element
}

pub(crate) async fn carry_out(cloud: &Arc<Cloud>, request: &Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    match request.action.as_str() {
        "CreateHealthCheck" => create_health_check(cloud, request, account, ticket).await,
        "ChangeTagsForResource" => {
            check_tags(cloud, request, account).await?;
            cloud.moto.forward(request, account).await
        }
        "ChangeResourceRecordSets" => change(cloud, request, account).await,
        "GetChange" => {
            let answer = cloud.moto.forward(request, account).await?;
            Ok(with_status(cloud, answer))
        }
        _ => cloud.moto.forward(request, account).await,
    }
}

/// The same reference with the same settings gives the same health check; with others, or after its deletion, a refusal.
async fn create_health_check(cloud: &Cloud, request: &Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    let body = request.tree();
    let reference = body.text_of("CallerReference").to_owned();
    let config = body.child("HealthCheckConfig").cloned().unwrap_or_default();
    check_config(&reference, &config)?;
    let fingerprint = digest(config.document().as_bytes());
    let key = (account.to_owned(), reference.clone());
    let used = cloud.state().health_checks.get(&key).cloned();
    if let Some(used) = used {
        let target = format!("/2013-04-01/healthcheck/{}", used.id);
        let standing = cloud.moto.rest("route53", caller(request, account), Method::GET, &target, String::new()).await;
        return match standing {
            Ok(mut tree) if used.fingerprint == fingerprint => {
                "CreateHealthCheckResponse".clone_into(&mut tree.name);
                Ok(created(Answer::xml(&tree), &target))
            }
            _ => Err(Refusal::new(
                "HealthCheckAlreadyExists",
                format!("A health check with the caller reference {reference} has already been created."),
            )
            .with_status(StatusCode::CONFLICT)),
        };
    }
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok() {
        let id = answer.tree().at(&["HealthCheck", "Id"]).map(|id| id.text().to_owned()).unwrap_or_default();
        let mut state = cloud.state();
        state.health_checks.insert(key, ReferenceUse { fingerprint, id: id.clone() });
        state.born("CreateHealthCheck", &id, Instant::now());
        ticket.note("Made", id);
    }
    Ok(answer)
}

/// Ten tags a resource, and ten a call.
async fn check_tags(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let body = request.tree();
    let texts = |element: &Element, name: &str| -> BTreeSet<String> {
        element.all(name).iter().map(|found| found.text().to_owned()).collect()
    };
    let added = body.child("AddTags").map(|added| texts(added, "Key")).unwrap_or_default();
    let removed = body.child("RemoveTagKeys").map(|removed| texts(removed, "Key")).unwrap_or_default();
    if added.len() > MOST_TAGS || removed.len() > MOST_TAGS {
        return Err(invalid_input(format!("Invalid parameter : at most {MOST_TAGS} tags may be given at once")));
    }
    let target = request.target.split('?').next().unwrap_or_default();
    let found = cloud.moto.rest("route53", caller(request, account), Method::GET, target, String::new()).await?;
    let left = texts(&found, "Key").into_iter().filter(|key| !removed.contains(key)).chain(added);
    if left.collect::<BTreeSet<_>>().len() > MOST_TAGS {
        return Err(invalid_input(format!("Invalid parameter : a resource has at most {MOST_TAGS} tags")));
    }
    Ok(())
}

fn created(mut answer: Answer, location: &str) -> Answer {
    answer.status = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers.insert(header::LOCATION, location);
    }
    answer
}

fn invalid_input(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidInput", message)
}

fn check_config(reference: &str, config: &Element) -> Result<(), Refusal> {
    if reference.is_empty() || reference.chars().count() > 64 {
        return Err(invalid_input("Invalid parameter : CallerReference must have 1 to 64 characters"));
    }
    let interval = config.text_of("RequestInterval");
    if !["", "10", "30"].contains(&interval) {
        return Err(invalid_input(format!("Invalid parameter : RequestInterval must be 10 or 30, not {interval}")));
    }
    let threshold = config.text_of("FailureThreshold");
    if !threshold.is_empty() && !threshold.parse::<u8>().is_ok_and(|threshold| (1..=10).contains(&threshold)) {
        return Err(invalid_input(format!("Invalid parameter : FailureThreshold must be between 1 and 10, not {threshold}")));
    }
    if config.text_of("IPAddress").is_empty() && config.text_of("FullyQualifiedDomainName").is_empty() {
        return Err(invalid_input("Invalid parameter : one of IPAddress and FullyQualifiedDomainName must be given"));
    }
    Ok(())
}

/// A record set by what makes it one: name, type and set identifier.
type Key = (String, String, String);

fn key(record: &Element) -> Key {
    (absolute(record.text_of("Name")), record.text_of("Type").to_owned(), record.text_of("SetIdentifier").to_owned())
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

/// What a record set says, in a form that can be compared.
fn content(record: &Element) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for name in ["TTL", "Failover", "HealthCheckId", "Weight", "Region"] {
        parts.insert(format!("{name}={}", record.text_of(name)));
    }
    for value in record.all("Value") {
        parts.insert(format!("value={}", value.text()));
    }
    if let Some(alias) = record.child("AliasTarget") {
        parts.insert(format!("zone={}", alias.text_of("HostedZoneId")));
        parts.insert(format!("alias={}", absolute(alias.text_of("DNSName"))));
        parts.insert(format!("evaluate={}", alias.text_of("EvaluateTargetHealth")));
    }
    parts
}

fn shown((name, kind, set): &Key) -> String {
    if set.is_empty() {
        format!("[name='{name}', type='{kind}']")
    } else {
        format!("[name='{name}', type='{kind}', set-identifier='{set}']")
    }
}

fn bad_batch(messages: &[String]) -> Refusal {
    Refusal::new("InvalidChangeBatch", format!("[{}]", messages.join(", ")))
}

async fn records(cloud: &Cloud, request: &Request, account: &str, target: &str) -> Result<Vec<Element>, Refusal> {
    let target = format!("{target}?maxitems=300");
    let tree = cloud.moto.rest("route53", caller(request, account), Method::GET, &target, String::new()).await?;
    Ok(tree.child("ResourceRecordSets").map(|set| set.elements().cloned().collect()).unwrap_or_default())
}

async fn change(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let target = request.target.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let before = records(cloud, request, account, &target).await?;
    let body = request.tree();
    let changes: Vec<(String, Element)> = body
        .all("Change")
        .iter()
        .filter_map(|change| Some((change.text_of("Action").to_owned(), change.child("ResourceRecordSet")?.clone())))
        .collect();
    let mut expected = before;
    let mut wrong = Vec::new();
    for (action, record) in &changes {
        check_record(cloud, request, account, record).await?;
        apply(&mut expected, action, record, &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(bad_batch(&wrong));
    }
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    restore(cloud, request, account, &target, &expected).await?;
    let id = answer.tree().at(&["ChangeInfo", "Id"]).map(|id| id.text().to_owned()).unwrap_or_default();
    cloud.state().changes_in_sync_from.insert(bare(&id), Instant::now() + cloud.config.timing.dns_change);
    Ok(with_status(cloud, answer))
}

/// Applies a change to a list of record sets, as Route 53 would.
fn apply(records: &mut Vec<Element>, action: &str, record: &Element, wrong: &mut Vec<String>) {
    let own = key(record);
    let standing = records.iter().position(|other| key(other) == own);
    match (action, standing) {
        ("CREATE", Some(_)) => wrong.push(format!("Tried to create resource record set {} but it already exists", shown(&own))),
        ("DELETE", None) => wrong.push(format!("Tried to delete resource record set {} but it was not found", shown(&own))),
        ("DELETE", Some(index)) if content(&records[index]) != content(record) => wrong.push(format!(
            "Tried to delete resource record set {} but the values provided do not match the current values",
            shown(&own)
        )),
        ("DELETE", Some(index)) => {
            records.remove(index);
        }
        ("UPSERT", Some(index)) => records[index] = record.clone(),
        _ => {
            let neighbours = records.iter().filter(|other| {
                let other = key(other);
                other.0 == own.0 && other.1 == own.1
            });
            for other in neighbours {
                if key(other).2.is_empty() != own.2.is_empty() {
                    wrong.push(format!(
                        "RRSet with DNS name {}, type {} cannot be created as a non-simple record set exists with the same name and type, or a simple one does",
                        own.0, own.1
                    ));
                } else if !record.text_of("Failover").is_empty() && other.text_of("Failover") == record.text_of("Failover") {
                    wrong.push(format!(
                        "Failover record set {} cannot be created: a {} record set of that name and type exists",
                        shown(&own),
                        record.text_of("Failover")
                    ));
                }
            }
            records.push(record.clone());
        }
    }
}

/// What a single record set must keep.
async fn check_record(cloud: &Cloud, request: &Request, account: &str, record: &Element) -> Result<(), Refusal> {
    if !record.text_of("Failover").is_empty() && record.text_of("SetIdentifier").is_empty() {
        return Err(invalid_input("Invalid request: Missing field 'SetIdentifier' in Change"));
    }
    let check = record.text_of("HealthCheckId");
    if !check.is_empty() {
        let target = format!("/2013-04-01/healthcheck/{check}");
        let found = cloud.moto.rest("route53", caller(request, account), Method::GET, &target, String::new()).await;
        found.map_err(|_| bad_batch(&[format!("The specified health check {check} does not exist")]))?;
    }
    if let Some(alias) = record.child("AliasTarget") {
        let name = absolute(alias.text_of("DNSName"));
        let zone = alias.text_of("HostedZoneId");
        let state = cloud.state();
        let balancer = state.load_balancers.values().find(|balancer| absolute(&balancer.address.to_string()) == name);
        // A record set may outlive its load balancer, so only a standing one's zone can be compared.
        if let Some(balancer) = balancer
            && zone != canonical_zone(&balancer.region)
        {
            return Err(bad_batch(&[format!(
                "Tried to create an alias that targets {name}, type {} in zone {zone}, but the alias target name does not lie within the target zone",
                record.text_of("Type")
            )]));
        }
    }
    Ok(())
}

/// moto deletes every record set that shares a set identifier: puts back those that had to stay.
async fn restore(cloud: &Cloud, request: &Request, account: &str, target: &str, expected: &[Element]) -> Result<(), Refusal> {
    let now: BTreeSet<Key> = records(cloud, request, account, target).await?.iter().map(key).collect();
    for record in expected.iter().filter(|record| !now.contains(&key(record))) {
        let change = Element::new("Change").leaf("Action", "UPSERT").node(record.clone());
        let batch = Element::new("ChangeBatch").node(Element::new("Changes").node(change));
        let body = with_namespace(Element::new("ChangeResourceRecordSetsRequest").node(batch));
        cloud.moto.rest("route53", caller(request, account), Method::POST, target, body.document()).await?;
    }
    Ok(())
}

fn bare(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// `PENDING` until the change's time has come.
fn with_status(cloud: &Cloud, answer: Answer) -> Answer {
    let mut tree = answer.tree();
    if let Some(info) = tree.child_mut("ChangeInfo") {
        let id = bare(info.text_of("Id"));
        let pending = cloud.state().changes_in_sync_from.get(&id).is_some_and(|from| *from > Instant::now());
        info.set("Status", if pending { "PENDING" } else { "INSYNC" });
    }
    answer.replaced(&tree)
}
