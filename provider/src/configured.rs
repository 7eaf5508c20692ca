//! The provider as configured: environment, default tags, and clouds that are connected when a resource first needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use clouds::{Cloud, Kind, Place};
use ipnet::Ipv4Net;
use tf_provider::{Diagnostic, Value, path};
use tokio::sync::OnceCell;

use crate::connect::CloudSettings;
use crate::diagnostics;
use crate::ids::RegionId;
use crate::networks;

/// What every resource is given.
pub(crate) struct Configured {
    environment: Value<String>,
    allowed_account_ids: Value<Vec<Value<String>>>,
    default_tags: Value<BTreeMap<String, Value<String>>>,
    clouds: CloudSettings,
    connections: Mutex<BTreeMap<Place, Arc<OnceCell<Connection>>>>,
    seen: Mutex<BTreeSet<String>>,
    planned_networks: Mutex<BTreeMap<RegionId, Ipv4Net>>,
    planned_ingress: Mutex<BTreeMap<(RegionId, String), bool>>,
    planned_ids: Mutex<BTreeSet<(Kind, String)>>,
}

/// A cloud in one place, with credentials that were found and belong to an allowed account.
#[derive(Clone)]
pub(crate) struct Connection {
    /// The client.
    pub(crate) cloud: Arc<dyn Cloud>,
    /// The account that its credentials belong to.
    pub(crate) account_id: String,
}

impl Configured {
    /// The provider block's values; those that are unknown in a plan are tolerated until something needs them.
    pub(crate) fn new(
        environment: Value<String>,
        allowed_account_ids: Value<Vec<Value<String>>>,
        default_tags: Value<BTreeMap<String, Value<String>>>,
        clouds: CloudSettings,
    ) -> Self {
        Self {
            environment,
            allowed_account_ids,
            default_tags,
            clouds,
            connections: Mutex::default(),
            seen: Mutex::default(),
            planned_networks: Mutex::default(),
            planned_ingress: Mutex::default(),
            planned_ids: Mutex::default(),
        }
    }

    /// The `environment` that new things belong to; unknown while the provider block is.
    pub(crate) fn environment(&self) -> &Value<String> {
        &self.environment
    }

    /// A resource's tags over the provider's `default_tags`; unknown while any of them is.
    pub(crate) fn tags_all(&self, tags: &Value<BTreeMap<String, Value<String>>>) -> Value<BTreeMap<String, Value<String>>> {
        if self.default_tags.is_unknown() || tags.is_unknown() {
            return Value::unknown();
        }
        let mut all = self.default_tags.known().cloned().unwrap_or_default();
        all.extend(tags.known().cloned().unwrap_or_default());
        all.retain(|_, value| !value.is_null());
        Value::Known(all)
    }

    /// The tags of an object that the provider's `default_tags` do not give it, for an import.
    pub(crate) fn tags_beyond_defaults(&self, all: &BTreeMap<String, String>) -> Value<BTreeMap<String, Value<String>>> {
        let defaults = self.default_tags.known().cloned().unwrap_or_default();
        let own: BTreeMap<String, Value<String>> = all
            .iter()
            .filter(|(key, value)| defaults.get(*key).and_then(Value::as_str) != Some(value.as_str()))
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect();
        if own.is_empty() { Value::Null } else { Value::Known(own) }
    }

    /// The cloud in a place. Credentials are looked for by the first call for it.
    pub(crate) async fn cloud(&self, place: &Place) -> Result<Connection, Diagnostic> {
        if !self.clouds.are_known(place.provider_type) {
            return Err(Diagnostic::error(format!("The settings for `{}` are not known yet", place.provider_type)).detail(format!(
                "The provider's block for this cloud depends on a value that is known only after an apply, and `{place}` is needed \
                 before. Apply what it depends on first, with `-target`."
            )));
        }
        let cell = Arc::clone(self.connections.lock().unwrap_or_else(PoisonError::into_inner).entry(place.clone()).or_default());
        cell.get_or_try_init(|| self.connect(place)).await.cloned()
    }

    /// The cloud in a place for a plan's checks, or `None` while the provider block is not known: the checks are then made when
    /// it is.
    pub(crate) async fn cloud_if_known(&self, place: &Place) -> Result<Option<Connection>, Diagnostic> {
        if self.clouds.are_known(place.provider_type) { self.cloud(place).await.map(Some) } else { Ok(None) }
    }

    async fn connect(&self, place: &Place) -> Result<Connection, Diagnostic> {
        let doing = format!("Cannot use `{place}`");
        let cloud = self.clouds.connect(place).await.map_err(|error| diagnostics::asking(&doing, &error))?;
        let account_id = cloud.account().await.map_err(|error| diagnostics::asking(&doing, &error))?;
        self.check_allowed(&account_id)?;
        Ok(Connection { cloud, account_id })
    }

    fn check_allowed(&self, account_id: &str) -> Result<(), Diagnostic> {
        let Some(allowed) = self.allowed_account_ids.known() else { return Ok(()) };
        // An id that is not known yet may be the one.
        if allowed.iter().any(|id| id.is_unknown() || id.as_str() == Some(account_id)) {
            return Ok(());
        }
        let allowed: Vec<String> = allowed.iter().filter_map(Value::as_str).map(|id| format!("`{id}`")).collect();
        Err(Diagnostic::error(format!("Account `{account_id}` is not allowed")).detail(format!(
            "The credentials that were found belong to account `{account_id}`, and `allowed_account_ids` of the provider names {}. \
             Nothing was made or changed. Use credentials of an allowed account, or add this one.",
            if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") },
        )))
    }

    /// That a row of state belongs to this provider's environment and, where a connection is given, account. A row of another
    /// one is an error, never a missing object.
    pub(crate) fn check_row(
        &self,
        id: &str,
        environment: &Value<String>,
        account_id: &Value<String>,
        connection: Option<&Connection>,
    ) -> Result<(), Diagnostic> {
        if let (Some(row), Some(own)) = (environment.as_str(), self.environment.as_str())
            && row != own
        {
            return Err(Diagnostic::error(format!("`{id}` belongs to environment `{row}`, the provider to `{own}`")).detail(format!(
                "The row of state was made by a provider with `environment = \"{row}\"`. It was neither read nor changed. Set the \
                 provider's `environment` back to `{row}`, or use a provider alias for it.",
            )).at(path!("environment")));
        }
        if let (Some(row), Some(connection)) = (account_id.as_str(), connection)
            && row != connection.account_id
        {
            let own = &connection.account_id;
            return Err(Diagnostic::error(format!("`{id}` stands in account `{row}`, the credentials belong to `{own}`")).detail(format!(
                "The row of state was made with credentials of account `{row}`. It was neither read nor changed. Use credentials of \
                 that account: `allowed_account_ids = [\"{row}\"]` in the provider block guards against others.",
            )).at(path!("account_id")));
        }
        Ok(())
    }

    /// That something to be made or imported belongs to this provider's environment. `named` begins the sentence that says
    /// where the other environment was read: "`region_id` names".
    pub(crate) fn check_environment(&self, id: &str, environment: &str, named: &str) -> Result<(), Diagnostic> {
        match self.environment.as_str() {
            Some(own) if own != environment => {
                Err(Diagnostic::error(format!("`{id}` belongs to environment `{environment}`, the provider to `{own}`")).detail(format!(
                    "{named} something of environment `{environment}`, and this provider has `environment = \"{own}\"`. Nothing was made \
                     or changed. Use a provider of that environment (an alias of it, named by `provider = inferadb.ALIAS`), or name \
                     something of environment `{own}`."
                )))
            }
            _ => Ok(()),
        }
    }

    /// Remembers that this run plans to make the resource of that id, and refuses a second one.
    pub(crate) fn plans(&self, kind: Kind, id: &str) -> Result<(), Diagnostic> {
        let planned = (kind, id.to_owned());
        if self.planned_ids.lock().unwrap_or_else(PoisonError::into_inner).insert(planned) {
            return Ok(());
        }
        let resource = crate::claims::resource_type(kind);
        Err(Diagnostic::error(format!("Two `{resource}` are to be `{id}`"))
            .detail("Another resource of this configuration has the same name in the same place. Give one of them another name.")
            .at(path!("name")))
    }

    /// Remembers that this run has read a row with `claim`.
    pub(crate) fn saw(&self, claim: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(claim.to_owned());
    }

    /// Whether this run has read a row with that claim, so that a plan that meets it replaces its own object.
    pub(crate) fn has_seen(&self, claim: &str) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(claim)
    }

    /// Remembers the range that this run plans for a region, so that plans beside it need not wait for the network. Tells which
    /// other region of the same place this run has planned on a range that meets it.
    pub(crate) fn plans_network(&self, region: &RegionId, range: Ipv4Net) -> Option<(RegionId, Ipv4Net)> {
        let mut planned = self.planned_networks.lock().unwrap_or_else(PoisonError::into_inner);
        planned.insert(region.clone(), range);
        let other = |(other, taken): &(&RegionId, &Ipv4Net)| {
            *other != region && other.place == region.place && networks::meet(range, **taken)
        };
        planned.iter().find(other).map(|(other, taken)| (other.clone(), *taken))
    }

    /// Remembers whether this run plans a cluster to serve its region's ingress. Tells which other cluster it plans to do so.
    pub(crate) fn plans_ingress(&self, region: &RegionId, cluster: &str, serves: bool) -> Option<String> {
        let mut planned = self.planned_ingress.lock().unwrap_or_else(PoisonError::into_inner);
        planned.insert((region.clone(), cluster.to_owned()), serves);
        let other = |((at, name), other): &(&(RegionId, String), &bool)| serves && **other && at == region && name != cluster;
        planned.iter().find(other).map(|((_, name), _)| name.clone())
    }

    /// Whether this run plans that a cluster serves its region's ingress no more.
    pub(crate) fn gives_ingress_up(&self, region: &RegionId, cluster: &str) -> bool {
        let planned = self.planned_ingress.lock().unwrap_or_else(PoisonError::into_inner);
        planned.get(&(region.clone(), cluster.to_owned())) == Some(&false)
    }

    /// The range that this run plans for a region, if it does.
    pub(crate) fn planned_network(&self, region: &RegionId) -> Option<Ipv4Net> {
        self.planned_networks.lock().unwrap_or_else(PoisonError::into_inner).get(region).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, Value<String>> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
    }

    fn configured(allowed: Value<Vec<Value<String>>>) -> Configured {
        Configured::new(
            "production".into(),
            allowed,
            map(&[("team", "platform"), ("cost", "7")]).into(),
            CloudSettings::default(),
        )
    }

    #[test]
    fn a_resources_own_tags_win() {
        let all = configured(Value::Null).tags_all(&Value::Known(map(&[("team", "data")])));
        assert_eq!(all, Value::Known(map(&[("cost", "7"), ("team", "data")])));
        assert!(configured(Value::Null).tags_all(&Value::unknown()).is_unknown());
    }

    #[test]
    fn an_import_takes_only_tags_that_the_defaults_do_not_give() {
        let found = [("team", "data"), ("cost", "7")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(configured(Value::Null).tags_beyond_defaults(&found), Value::Known(map(&[("team", "data")])));
    }

    #[test]
    fn regions_planned_in_one_run_do_not_meet_in_one_place() {
        let provider = configured(Value::Null);
        let region = |id: &str| id.parse::<RegionId>().unwrap();
        let range = |text: &str| networks::parse(text).unwrap();
        let first = region("production/aws/us-east-1/nyc1");
        assert_eq!(provider.plans_network(&first, range("10.10.0.0/16")), None);
        assert_eq!(provider.plans_network(&first, range("10.10.0.0/16")), None, "planned again");
        assert_eq!(provider.plans_network(&region("production/aws/us-west-1/sfo1"), range("10.10.0.0/16")), None);
        let second = region("production/aws/us-east-1/nyc2");
        assert_eq!(provider.plans_network(&second, range("10.10.128.0/20")), Some((first.clone(), range("10.10.0.0/16"))));
        assert_eq!(provider.planned_network(&first), Some(range("10.10.0.0/16")));
    }

    #[test]
    fn another_account_is_refused_by_name() {
        let allowed = Value::Known(vec![Value::from("111111111111"), Value::from("222222222222")]);
        assert_eq!(configured(allowed.clone()).check_allowed("222222222222"), Ok(()));
        insta::assert_snapshot!(configured(allowed).check_allowed("333333333333").unwrap_err(), @"Account `333333333333` is not allowed: The credentials that were found belong to account `333333333333`, and `allowed_account_ids` of the provider names `111111111111`, `222222222222`. Nothing was made or changed. Use credentials of an allowed account, or add this one.");
        let unknown = Value::Known(vec![Value::unknown()]);
        assert_eq!(configured(unknown).check_allowed("333333333333"), Ok(()));
    }

    #[test]
    fn a_new_thing_of_another_environment_is_no_row() {
        let provider = configured(Value::Null);
        assert_eq!(provider.check_environment("production/nyc1/b", "production", "`region_id` names"), Ok(()));
        insta::assert_snapshot!(provider.check_environment("u/sfo1/b", "u", "`region_id` names").unwrap_err(), @r#"`u/sfo1/b` belongs to environment `u`, the provider to `production`: `region_id` names something of environment `u`, and this provider has `environment = "production"`. Nothing was made or changed. Use a provider of that environment (an alias of it, named by `provider = inferadb.ALIAS`), or name something of environment `production`."#);
    }

    #[test]
    fn two_of_one_name_are_not_planned() {
        let provider = configured(Value::Null);
        assert_eq!(provider.plans(Kind::Cluster, "production/nyc1/blue"), Ok(()));
        assert_eq!(provider.plans(Kind::Backup, "production/nyc1/blue"), Ok(()));
        insta::assert_snapshot!(provider.plans(Kind::Cluster, "production/nyc1/blue").unwrap_err(), @"name: Two `inferadb_cluster` are to be `production/nyc1/blue`: Another resource of this configuration has the same name in the same place. Give one of them another name.");
    }

    #[test]
    fn a_row_of_another_environment_is_an_error() {
        let provider = configured(Value::Null);
        let check = |environment: &str| provider.check_row("staging/nyc1/blue", &environment.into(), &Value::Null, None);
        assert_eq!(check("production"), Ok(()));
        insta::assert_snapshot!(check("staging").unwrap_err(), @r#"environment: `staging/nyc1/blue` belongs to environment `staging`, the provider to `production`: The row of state was made by a provider with `environment = "staging"`. It was neither read nor changed. Set the provider's `environment` back to `staging`, or use a provider alias for it."#);
    }
}
