//! The health check of a region's DNS record.
//!
//! It is made of the load balancer's own name, not of the record's: by the record's name, a primary that has failed over
//! would be judged by its secondary (Route 53 API reference, `HealthCheckConfig$FullyQualifiedDomainName`). Route 53 sends
//! that name as SNI and Host, so what answers behind the load balancer must serve the path for any host.

use aws_sdk_route53::operation::change_tags_for_resource::builders::ChangeTagsForResourceFluentBuilder;
use aws_sdk_route53::types::{HealthCheck, HealthCheckConfig, HealthCheckType, TagResourceType};

use super::call::Api;
use super::dns::bare;
use super::inventory::pages;
use super::tags::{self, Tags};
use super::{Aws, naming};
use crate::{Error, HealthCheckSpec, RegionSpec, Result, Root};

const HTTPS: i32 = 443;
/// Tags that a health check can have (Route 53 developer guide, "Naming and tagging health checks"), and that one
/// `ChangeTagsForResource` takes.
const MOST_TAGS: usize = 10;
/// Names for health checks that may have been used up: Route 53 never takes a deleted one's reference again.
const REFERENCES: u32 = 20;

/// Health checks of a root are found by what their caller references begin with.
fn reference_prefix(root: &Root) -> String {
    format!("inferadb-{}-", root.id)
}

/// The health checks of a region.
pub(super) async fn all(aws: &Aws, root: &Root) -> Result<Vec<HealthCheck>> {
    let client = &aws.clients().route53;
    let found = pages(
        aws,
        Api::Route53,
        "route53:ListHealthChecks",
        "the health checks",
        |marker| client.list_health_checks().max_items(100).set_marker(marker).send(),
        |page| (page.health_checks, page.next_marker),
    )
    .await?;
    let prefix = reference_prefix(root);
    Ok(found.into_iter().filter(|check| check.caller_reference().starts_with(&prefix)).collect())
}

/// The health check; its id. Interval and type cannot be changed, so another interval is another check.
pub(super) async fn ensure(aws: &Aws, spec: &RegionSpec, root: &Root, wanted: &HealthCheckSpec, address: &str) -> Result<String> {
    let interval = i32::from(wanted.request_interval);
    let standing = all(aws, root).await?;
    let usable = standing
        .iter()
        .find(|check| check.health_check_config().is_some_and(|config| config.request_interval() == Some(interval)));
    let client = &aws.clients().route53;
    let object = format!("the health check of region `{}`", spec.scope.region);
    let id = if let Some(check) = usable {
        let id = check.id().to_owned();
        if !check.health_check_config().is_some_and(|config| checks_as(config, wanted, address)) {
            aws.call(Api::Route53, "route53:UpdateHealthCheck", object.as_str())
                .send(|| {
                    client
                        .update_health_check()
                        .health_check_id(&id)
                        .fully_qualified_domain_name(address)
                        .port(HTTPS)
                        .resource_path(&wanted.path)
                        .failure_threshold(wanted.failure_threshold.into())
                        .enable_sni(true)
                        .send()
                })
                .await?;
        }
        id
    } else {
        create(aws, root, wanted, address, &object).await?
    };
    // Health checks cannot be tagged while they are made.
    let wanted = wanted_tags(spec);
    let found = standing_tags(aws, &id, &object).await?;
    let set: Tags =
        wanted.iter().filter(|(key, value)| found.get(*key) != Some(value)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let gone: Vec<String> = found.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
    // Those that go make room for those that come.
    if !gone.is_empty() {
        change_tags(aws, &id, &object, |request| request.set_remove_tag_keys(Some(gone.clone()))).await?;
    }
    if !set.is_empty() {
        change_tags(aws, &id, &object, |request| request.set_add_tags(Some(tags::route53(&set)))).await?;
    }
    Ok(id)
}

/// Ours, and of the user's the first that there is room for.
fn wanted_tags(spec: &RegionSpec) -> Tags {
    let mut wanted = tags::common(&spec.scope, &super::region::display(&spec.scope), &Tags::new());
    wanted.insert(tags::NAME.to_owned(), spec.scope.region.clone());
    for (key, value) in &spec.tags {
        if wanted.len() < MOST_TAGS {
            wanted.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    wanted
}

async fn standing_tags(aws: &Aws, id: &str, object: &str) -> Result<Tags> {
    let client = &aws.clients().route53;
    let answer = aws
        .call(Api::Route53, "route53:ListTagsForResource", object)
        .settling(&[])
        .send(|| client.list_tags_for_resource().resource_type(TagResourceType::Healthcheck).resource_id(id).send())
        .await?;
    let found = answer.resource_tag_set().map(aws_sdk_route53::types::ResourceTagSet::tags).unwrap_or_default();
    Ok(found.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect())
}

async fn change_tags(
    aws: &Aws,
    id: &str,
    object: &str,
    change: impl Fn(ChangeTagsForResourceFluentBuilder) -> ChangeTagsForResourceFluentBuilder + Send + Sync,
) -> Result<()> {
    let client = &aws.clients().route53;
    aws.call(Api::Route53, "route53:ChangeTagsForResource", object)
        .settling(&[])
        .send(|| {
            let request = client.change_tags_for_resource().resource_type(TagResourceType::Healthcheck).resource_id(id);
            change(request).send()
        })
        .await?;
    Ok(())
}

fn checks_as(config: &HealthCheckConfig, wanted: &HealthCheckSpec, address: &str) -> bool {
    config.fully_qualified_domain_name().map(bare) == Some(bare(address))
        && config.resource_path() == Some(wanted.path.as_str())
        && config.failure_threshold() == Some(wanted.failure_threshold.into())
        && config.port() == Some(HTTPS)
        && config.enable_sni() == Some(true)
}

async fn create(aws: &Aws, root: &Root, wanted: &HealthCheckSpec, address: &str, object: &str) -> Result<String> {
    let client = &aws.clients().route53;
    let config = HealthCheckConfig::builder()
        .r#type(HealthCheckType::Https)
        .fully_qualified_domain_name(address)
        .port(HTTPS)
        .resource_path(&wanted.path)
        .failure_threshold(wanted.failure_threshold.into())
        .request_interval(wanted.request_interval.into())
        .enable_sni(true)
        .build()
        .map_err(|error| Error::Api {
            operation: "route53:CreateHealthCheck",
            object: object.to_owned(),
            code: String::new(),
            message: error.to_string(),
        })?;
    let settings = [wanted.path.as_str(), &wanted.failure_threshold.to_string(), &wanted.request_interval.to_string(), address];
    let hash = naming::digest(&settings, 12);
    let mut last = None;
    for number in 0..REFERENCES {
        let reference = format!("{}{hash}-{number}", reference_prefix(root));
        let made = aws
            .call(Api::Route53, "route53:CreateHealthCheck", object)
            .send(|| client.create_health_check().caller_reference(&reference).health_check_config(config.clone()).send())
            .await;
        match made {
            Ok(answer) => return Ok(answer.health_check().map(|check| check.id().to_owned()).unwrap_or_default()),
            // Of a deleted one: its reference is used up.
            Err(failure) if failure.is(&["HealthCheckAlreadyExists"]) => last = Some(failure),
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(last.map_or_else(
        || Error::Api {
            operation: "route53:CreateHealthCheck",
            object: object.to_owned(),
            code: String::new(),
            message: "not tried".to_owned(),
        },
        Into::into,
    ))
}

/// Deletes a health check.
pub(super) async fn delete(aws: &Aws, id: &str) -> Result<()> {
    let client = &aws.clients().route53;
    let gone = aws
        .call(Api::Route53, "route53:DeleteHealthCheck", format!("health check `{id}`"))
        .send(|| client.delete_health_check().health_check_id(id).send())
        .await;
    match gone {
        Err(failure) if !failure.is_not_found() => Err(failure.into()),
        _ => Ok(()),
    }
}
