//! The patches of a cluster whose configuration nobody has: found by comparing what its attributes give with what its nodes run with.

use std::collections::BTreeMap;

use talos::config::MachineConfig;
use talos::patch::{apply_all, between};
use talos::secrets::Bundle;
use talos::version::TalosVersion;
use tf_provider::{Diagnostic, Diagnostics, ReadContext, Value};

use crate::configured::Configured;

/// A node that stands for its pool.
pub(super) struct Sample<'a> {
    /// Empty for the control plane.
    pub(super) pool: &'a str,
    pub(super) node: &'a str,
    /// The config that the attributes give it.
    pub(super) generated: MachineConfig,
    /// The config that it has.
    pub(super) found: &'a MachineConfig,
    /// Whether it has told so itself.
    pub(super) live: bool,
}

type List = Value<Vec<Value<String>>>;

/// Patch lists, none of them null: core lets a plan keep what is there.
pub(super) struct Patches {
    pub(super) common: List,
    /// By pool; the control plane's under the empty name.
    pub(super) own: BTreeMap<String, List>,
}

/// No patches.
pub(super) fn none() -> List {
    Value::Known(Vec::new())
}

/// Whether a node has that config. What a silent one booted from may lack the inline manifests.
pub(super) fn says_the_same(found: &MachineConfig, rendered: &MachineConfig, live: bool, version: &TalosVersion) -> bool {
    found.same_as(rendered, version) || !live && found.same_as(&rendered.without_inline_manifests().0, version)
}

/// The cluster's patches, where the same lead everywhere to what is found; else each pool has its own.
pub(super) fn find(
    cx: &ReadContext<Configured>,
    samples: &[Sample<'_>],
    version: &TalosVersion,
    bundle: &Bundle,
) -> Result<Patches, Diagnostics> {
    let mut lists: Vec<(&Sample<'_>, Vec<String>)> = Vec::new();
    for sample in samples {
        let Ok(patches) = between(&sample.generated, sample.found, version) else {
            cx.warn(inexpressible(sample, version));
            continue;
        };
        if patches.iter().any(|text| bundle.appears_in(text)) {
            return Err(secret(sample));
        }
        lists.push((sample, patches.iter().map(|text| text.to_string()).collect()));
    }
    // The longest first: what it says beyond the others may change nothing there.
    let mut candidates: Vec<&Vec<String>> = lists.iter().map(|(_, patches)| patches).collect();
    candidates.sort_by_key(|patches| std::cmp::Reverse(patches.iter().map(String::len).sum::<usize>()));
    let fits =
        |patches: &&Vec<String>| lists.len() == samples.len() && samples.iter().all(|sample| leads(sample, patches, version));
    if let Some(common) = candidates.into_iter().find(fits) {
        return Ok(Patches { common: list(common), own: BTreeMap::new() });
    }
    let own = lists.iter().map(|(sample, patches)| (sample.pool.to_owned(), list(patches))).collect();
    Ok(Patches { common: none(), own })
}

fn leads(sample: &Sample<'_>, patches: &[String], version: &TalosVersion) -> bool {
    let result = apply_all(&sample.generated, patches, version);
    result.is_some_and(|config| says_the_same(sample.found, &config, sample.live, version))
}

fn list(patches: &[String]) -> List {
    Value::Known(patches.iter().map(|text| text.as_str().into()).collect())
}

fn inexpressible(sample: &Sample<'_>, version: &TalosVersion) -> Diagnostic {
    Diagnostic::warning(format!("The machine config of node `{}` cannot be written as a patch", sample.node)).detail(format!(
        "Nothing that Talos {version} takes as a patch leads from the cluster's attributes to what the node runs with. The next plan \
         shows that it changes the node's config: look at the patches in your configuration before you apply it."
    ))
}

fn secret(sample: &Sample<'_>) -> Diagnostics {
    Diagnostic::error(format!(
        "The machine config of node `{}` holds the cluster's secrets where they do not belong",
        sample.node
    ))
    .detail(
        "The patch that stands for the difference would bring them into the state's attributes and into plans. Bring the node's \
             config in order first, with `talosctl edit machineconfig`. Nothing was changed.",
    )
    .into()
}
