//! Admin certificates, signed here from the cluster's own authorities.

use talos::client::Identity;
use talos::credentials;
use talos::secrets::Bundle;
use tf_provider::{Diagnostic, Diagnostics};

use super::model::ClusterModel;

/// How long the admin certificates of one run are valid: longer than any operation.
pub(super) const RUN_LIFETIME: time::Duration = time::Duration::hours(24);

/// How long those in a row are, as Talos' own.
const ROW_LIFETIME: time::Duration = time::Duration::days(365);

/// An `os:admin` of the cluster for this run.
pub(super) fn identity(bundle: &Bundle) -> Result<Identity, Diagnostics> {
    Identity::talos_admin(bundle, RUN_LIFETIME).map_err(|error| unusable(&error.to_string()))
}

/// Admin kubeconfig and talosconfig for the row.
pub(super) fn for_row(model: &ClusterModel, bundle: &Bundle) -> Result<(String, String), Diagnostics> {
    let name = model.name.as_str().unwrap_or_default();
    let server = model.endpoint.as_str().unwrap_or_default();
    let api = model.talos_endpoint.as_str().unwrap_or(super::render::host(server)).to_owned();
    let nodes: Vec<String> = model
        .nodes
        .known()
        .into_iter()
        .flatten()
        .filter_map(|(_, node)| node.known())
        .filter(|node| node.role.as_str() == Some("control-plane"))
        .filter_map(|node| node.private_ip.as_str().map(str::to_owned))
        .collect();
    let failed = |error: &dyn std::fmt::Display| unusable(&error.to_string());
    let kubeconfig = credentials::admin_kubeconfig(bundle, name, server, ROW_LIFETIME).map_err(|error| failed(&error))?;
    let talosconfig =
        credentials::admin_talosconfig(bundle, name, &[api], &nodes, ROW_LIFETIME).map_err(|error| failed(&error))?;
    Ok((kubeconfig.to_string(), talosconfig.to_string()))
}

pub(super) fn unusable(why: &str) -> Diagnostics {
    Diagnostic::error("The cluster's admin certificates cannot be made or used").detail(why.to_owned()).into()
}
