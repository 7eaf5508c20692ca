//! The provider block, and the resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use tf_provider::{Diagnostics, Model, Value};

use crate::backup::BackupResource;
use crate::cluster::ClusterResource;
use crate::configured::Configured;
use crate::connect::{Aws, CloudSettings, Docker};
use crate::ids::LONGEST_SCOPE_NAME;
use crate::names::check_label;
use crate::region::RegionResource;

/// Takes a cloud account from nothing to a healthy Kubernetes cluster on Talos Linux in one apply: regions, clusters and
/// FoundationDB backup stores for InferaDB, on AWS.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct ProviderModel {
    /// Environment that everything belongs to, such as `production`: it goes into every name and tag. Lower-case letters, digits
    /// and hyphens, at most 24 characters. A row of state that was made in another environment is an error.
    #[attr(required, validate = environment)]
    pub(crate) environment: Value<String>,
    /// Ids of the cloud accounts that may be used. With credentials of any other account nothing is read or changed. Any account
    /// unless given.
    #[attr(optional, validate = account_ids)]
    pub(crate) allowed_account_ids: Value<Vec<Value<String>>>,
    /// Tags on everything that is made, besides each resource's `tags`.
    #[attr(optional, validate = crate::tags::check)]
    pub(crate) default_tags: Value<BTreeMap<String, Value<String>>>,

    /// Settings for Amazon Web Services. They bear the names that the `hashicorp/aws` provider gives them. Not needed where the
    /// environment says it all.
    #[block]
    pub(crate) aws: Value<Aws>,
    /// Settings for Docker. Names and meanings are those of the `kreuzwerker/docker` provider where it has them. Not needed where
    /// the environment and the Docker CLI's contexts say it all.
    #[block]
    pub(crate) docker: Value<Docker>,
}

fn environment(name: &str) -> Result<(), String> {
    check_label(name, LONGEST_SCOPE_NAME)
}

fn account_ids(ids: &[Value<String>]) -> Result<(), String> {
    if ids.is_empty() {
        return Err("no account is given, so none could be used: expected at least one, or no list at all".to_owned());
    }
    match ids.iter().filter_map(Value::as_str).find(|id| !is_account_id(id)) {
        Some(id) => {
            Err(format!("`{id}` is no account id: expected the 12 digits of an AWS account, or the id of a Docker engine"))
        }
        None => Ok(()),
    }
}

/// An AWS account's id, or what `docker info` shows as the engine's: a UUID, or twelve groups of four in engines of old.
fn is_account_id(id: &str) -> bool {
    let digits = id.len() == 12 && id.bytes().all(|c| c.is_ascii_digit());
    digits || (id.len() >= 36 && id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b':')))
}

/// The provider `inferadb`.
pub(crate) struct Inferadb;

impl tf_provider::Provider for Inferadb {
    const NAME: &'static str = "inferadb";
    const LOG_TARGETS: &'static [&'static str] = &["terraform_provider_inferadb", "clouds", "talos"];
    type Config = ProviderModel;
    type Configured = Configured;

    async fn configure(
        &self,
        _cx: &tf_provider::ConfigureContext,
        config: ProviderModel,
    ) -> Result<Arc<Configured>, Diagnostics> {
        let clouds = CloudSettings::new(&config.aws, &config.docker)?;
        Ok(Arc::new(Configured::new(config.environment, config.allowed_account_ids, config.default_tags, clouds)))
    }

    fn resources() -> Vec<Box<dyn tf_provider::ErasedResource<Configured>>> {
        vec![tf_provider::resource(RegionResource), tf_provider::resource(ClusterResource), tf_provider::resource(BackupResource)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use tf_provider::Provider;

    #[test]
    fn accounts_are_named_by_their_ids() {
        let check = |ids: &[&str]| account_ids(&ids.iter().map(|id| Value::from(*id)).collect::<Vec<_>>());
        assert_eq!(check(&["123456789012", "0f5e0a4f-7d0e-4a6c-9b0e-0d7c4b5a6f10"]), Ok(()));
        assert_eq!(
            check(&["123456789012", "abc"]).unwrap_err(),
            "`abc` is no account id: expected the 12 digits of an AWS account, or the id of a Docker engine"
        );
        for wrong in [&[][..], &[""], &["1234-5678-9012"]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_cluster_page_says_what_a_change_of_each_attribute_does() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/resources/cluster.md")).unwrap();
        let section = page.split("## ").find(|section| section.starts_with("What a change does")).unwrap();
        let cluster = Inferadb::resources().into_iter().find(|resource| resource.name() == "cluster").unwrap();
        let cluster = cluster.block();
        let pools = ["control_plane", "worker_pool"].map(|name| &cluster.blocks[name].block);
        let settable: BTreeSet<&str> = std::iter::once(cluster)
            .chain(pools)
            .flat_map(|block| &block.attributes)
            .filter(|(_, attribute)| attribute.required || attribute.optional)
            .map(|(name, _)| name.as_str())
            .chain(cluster.blocks.keys().map(String::as_str))
            .collect();
        let missing: Vec<&&str> = settable.iter().filter(|name| !section.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "templates/resources/cluster.md.tmpl says nothing of {missing:?}");
    }
}
