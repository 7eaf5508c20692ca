//! ApplyConfiguration.

use std::sync::Arc;

use prost::Message as _;
use proto::talos::machine::apply_configuration_request::Mode;
use proto::talos::machine::{ApplyConfiguration, ApplyConfigurationRequest, ApplyConfigurationResponse};
use tonic::Status;

use super::config::NodeConfig;
use super::life::Node;

/// From this minor on there is no mode REBOOT, and AUTO never reboots.
const NO_REBOOT_MODE_SINCE: u32 = 14;

pub(super) fn apply(node: &Arc<Node>, message: &[u8]) -> Result<ApplyConfigurationResponse, Status> {
    let request = ApplyConfigurationRequest::decode(message).map_err(|error| Status::internal(error.to_string()))?;
    // A number that is not listed counts as REBOOT.
    let asked = Mode::try_from(request.mode).unwrap_or(Mode::Reboot);
    let text = std::str::from_utf8(&request.data).map_err(|_| Status::invalid_argument("yaml: invalid UTF-8"))?;
    if text.trim().is_empty() {
        return Err(Status::invalid_argument("configuration is required"));
    }
    let new = NodeConfig::parse(text).map_err(|refused| Status::invalid_argument(refused.to_string()))?;
    let current = node.config().ok_or_else(|| Status::unavailable("the node is booting"))?;
    let minor = minor(node);
    let needs_reboot = minor < NO_REBOOT_MODE_SINCE && current.needs_reboot_for(&new);
    if asked == Mode::Reboot && minor >= NO_REBOOT_MODE_SINCE {
        return Err(Status::unimplemented("reboot mode is not supported"));
    }
    if needs_reboot && matches!(asked, Mode::NoReboot | Mode::Try) {
        return Err(Status::invalid_argument("this config change can't be applied in immediate mode"));
    }
    let mode = match asked {
        Mode::Auto if needs_reboot => Mode::Reboot,
        Mode::Auto => Mode::NoReboot,
        other => other,
    };
    let details = match mode {
        Mode::Reboot => "Applied configuration with a reboot",
        Mode::Staged => "Staged configuration to be applied after the next reboot",
        _ => "Applied configuration without a reboot",
    };
    if request.dry_run {
        let same = current.text == new.text;
        let diff = if same { "No changes." } else { "(shown by real nodes)" };
        return Ok(answer(mode, format!("Dry run summary:\n{details} (skipped in dry-run).\nConfig diff:\n\n{diff}")));
    }
    node.world.shared().configs.push(new.text.clone());
    {
        let mut state = node.state();
        match mode {
            Mode::Reboot => {
                state.staged = Some(new.text);
                state.reboot_ordered = true;
            }
            Mode::Staged => state.staged = Some(new.text),
            // Taking a tried config back is not played: nobody here tries.
            _ => {
                state.disk = Some(new.text.clone());
                state.config = Some(Arc::new(new));
                state.config_version += 1;
            }
        }
    }
    node.ask();
    node.world.changed();
    Ok(answer(mode, details.to_owned()))
}

fn answer(mode: Mode, mode_details: String) -> ApplyConfigurationResponse {
    ApplyConfigurationResponse {
        messages: vec![ApplyConfiguration { metadata: None, warnings: Vec::new(), mode: mode.into(), mode_details }],
    }
}

/// `13` of `v1.13.9`; the newest where the image does not tell.
pub(super) fn minor(node: &Node) -> u32 {
    let version = node.instance().talos_version.as_deref().unwrap_or("v1.13.9");
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(13)
}
