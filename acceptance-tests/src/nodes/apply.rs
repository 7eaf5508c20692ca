//! ApplyConfiguration on a node that runs one already.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use proto::talos::machine::apply_configuration_request::Mode;
use proto::talos::machine::{ApplyConfiguration, ApplyConfigurationRequest, ApplyConfigurationResponse};
use tonic::Status;

use super::api::Call;
use super::grpc::Reply;
use super::host::Host;
use super::{MachineConfig, boot, diff, kubelet, machinery, versions};

/// How long a try lasts unless told.
const TRY_FOR: Duration = Duration::from_mins(1);

/// Answers the call.
pub(super) async fn answer(call: Call) -> Result<Reply, Status> {
    let request = ApplyConfigurationRequest::decode(call.message.clone()).map_err(|error| Status::internal(error.to_string()))?;
    let shared = Arc::clone(&call.host.shared);
    let asked = Mode::try_from(request.mode);
    if asked != Ok(Mode::Try) {
        shared.change(|world| world.booted(&call.node, call.boot).map(|machine| machine.trial = None));
    }
    shared.change(|world| world.configs.push(String::from_utf8_lossy(&request.data).into_owned()));
    let config = machinery::load(&shared.libraries, &call.talos(), &request.data)
        .await
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let (running, talos) = {
        let world = shared.look();
        let machine = world.machines.get(&call.node).filter(|machine| machine.boot == call.boot);
        let running = machine.and_then(|machine| Some((machine.config.clone()?, machine.disk.talos.clone())));
        running.ok_or_else(|| Status::unavailable("the node runs no config"))?
    };
    let at_once = versions::applies_all_at_once(&talos);
    let refusal = || {
        let text = |config: &MachineConfig| String::from_utf8_lossy(config.bytes()).into_owned();
        let difference = diff::unified(&text(&running), &text(&config));
        format!("this config change can't be applied in immediate mode\ndiff:\n{difference}")
    };
    let must_reboot = !at_once && running.must_reboot_for(&config);
    // The number of a mode that is not known stays in the answer, and counts as a reboot.
    let (mode, number) = match asked {
        Ok(Mode::Auto) if must_reboot => (Mode::Reboot, Mode::Reboot as i32),
        Ok(Mode::Auto) => (Mode::NoReboot, Mode::NoReboot as i32),
        Ok(Mode::NoReboot | Mode::Try) if must_reboot => return Err(Status::invalid_argument(refusal())),
        Ok(Mode::Reboot) if at_once => {
            return Err(Status::unimplemented("the REBOOT mode is not supported, please use AUTO or NO_REBOOT modes instead"));
        }
        Ok(known) => (known, known as i32),
        Err(_) => (Mode::Reboot, request.mode),
    };
    let mut details = match mode {
        Mode::Reboot | Mode::Auto => "Applied configuration with a reboot".to_owned(),
        Mode::NoReboot | Mode::Try => "Applied configuration without a reboot".to_owned(),
        Mode::Staged => "Staged configuration to be applied after the next reboot".to_owned(),
    };
    if request.dry_run {
        let text = |config: &MachineConfig| String::from_utf8_lossy(config.bytes()).into_owned();
        let same = running.says_the_same(&config);
        let difference = if same { "No changes.".to_owned() } else { diff::unified(&text(&running), &text(&config)) };
        details = format!("Dry run summary:\n{details} (skipped in dry-run).\nConfig diff:\n\n{difference}");
    } else {
        if asked == Ok(Mode::Auto) && must_reboot {
            details = format!("{details}: {}", refusal());
        }
        carry_out(&call, mode, &request, running, config, &mut details);
    }
    let answer = ApplyConfiguration { metadata: None, warnings: Vec::new(), mode: number, mode_details: details };
    Ok(Reply::message(&ApplyConfigurationResponse { messages: vec![answer] }))
}

fn carry_out(
    call: &Call,
    mode: Mode,
    request: &ApplyConfigurationRequest,
    running: MachineConfig,
    config: MachineConfig,
    details: &mut String,
) {
    let shared = &call.host.shared;
    if mode != Mode::Try {
        shared.change(|world| {
            if let Some(machine) = world.booted(&call.node, call.boot) {
                machine.disk.config = Some(config.clone());
            }
        });
    }
    match mode {
        Mode::NoReboot => set(&call.host, &call.node, call.boot, config),
        Mode::Try => {
            let wait = request.try_mode_timeout.map_or(TRY_FOR, |wait| Duration::try_from(wait).unwrap_or(TRY_FOR));
            details.push_str("\nThe config is applied in 'try' mode and will be automatically reverted back in ");
            details.push_str(&go_duration(wait));
            let trial = shared.change(|world| {
                let machine = world.booted(&call.node, call.boot)?;
                machine.trials += 1;
                // A try within a try goes back to where the first began.
                let back = machine.trial.take().map_or(running, |(_, back)| back);
                machine.trial = Some((machine.trials, back));
                Some(machine.trials)
            });
            set(&call.host, &call.node, call.boot, config);
            let (host, node, node_boot) = (Arc::clone(&call.host), call.node.clone(), call.boot);
            call.host.spawn(&call.node, async move {
                tokio::time::sleep(wait).await;
                let back = host.shared.change(|world| {
                    let machine = world.booted(&node, node_boot)?;
                    machine.trial.take_if(|(number, _)| Some(*number) == trial).map(|(_, back)| back)
                });
                if let Some(back) = back {
                    set(&host, &node, node_boot, back);
                }
            });
        }
        Mode::Reboot | Mode::Auto => {
            let (host, node, node_boot) = (Arc::clone(&call.host), call.node.clone(), call.boot);
            call.host.spawn_lasting(&call.node, boot::go_down(host, node, node_boot, boot::Down::Reboot));
        }
        Mode::Staged => {}
    }
}

/// Runs another config from now on.
fn set(host: &Arc<Host>, node: &str, boot: u64, config: MachineConfig) {
    let changed = host.shared.change(|world| {
        let machine = world.booted(node, boot)?;
        machine.config = Some(config);
        machine.config_version += 1;
        Some(())
    });
    if changed.is_some() {
        boot::renew_certificate(host, node);
        kubelet::sync(host, node);
    }
}

/// As Go prints it: `1m0s`, `4s`.
fn go_duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let fraction = length.subsec_millis();
    let rest = if fraction == 0 {
        format!("{}s", seconds % 60)
    } else {
        format!("{}.{}s", seconds % 60, format!("{fraction:03}").trim_end_matches('0'))
    };
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) if seconds == 0 && fraction > 0 => format!("{fraction}ms"),
        (0, 0) => rest,
        (0, minutes) => format!("{minutes}m{rest}"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_go_writes_them() {
        let lengths = [(60_000, "1m0s"), (4_000, "4s"), (1_500, "1.5s"), (3_600_000, "1h0m0s"), (20, "20ms")];
        for (milliseconds, text) in lengths {
            assert_eq!(go_duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
