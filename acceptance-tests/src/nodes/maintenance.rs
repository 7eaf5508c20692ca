//! What a node without a config answers: it takes a config, shows what is no secret, and has nothing else.

use std::sync::Arc;

use prost::Message;
use proto::talos::machine::apply_configuration_request::Mode;
use proto::talos::machine::{ApplyConfiguration, ApplyConfigurationRequest, ApplyConfigurationResponse};
use proto::talos::storage::{Disks, DisksResponse};
use tonic::Status;

use super::api::Call;
use super::boot;
use super::grpc::Reply;
use super::machine_config::ConfigError;
use super::{cosi_state, machine_service, machinery};

/// Answers a call.
pub(super) async fn answer(call: Call) -> Result<Reply, Status> {
    let Some((service, method)) = call.path.trim_start_matches('/').split_once('/') else {
        return Err(Status::unimplemented(format!("malformed method name: {:?}", call.path)));
    };
    match service {
        "cosi.resource.State" if cosi_state::METHODS.contains(&method) => cosi_state::answer(&call, method),
        "storage.StorageService" => Ok(Reply::message(&DisksResponse { messages: vec![Disks::default()] })),
        "machine.MachineService" => match method {
            "ApplyConfiguration" => apply(call).await,
            // Of a maintenance node these answer over SideroLink only.
            "MetaDelete" | "MetaWrite" | "Reset" | "Upgrade" | "Version" => {
                Err(Status::unimplemented("API is not implemented in maintenance mode"))
            }
            "GenerateConfiguration" => Err(Status::unknown("invalid generate request")),
            "GenerateClientConfiguration" => {
                Err(Status::unimplemented("client configuration (talosconfig) can't be generated in the maintenance mode"))
            }
            known if machine_service::METHODS.contains(&known) => {
                Err(Status::unimplemented(format!("method {known} not implemented")))
            }
            other => Err(Status::unimplemented(format!("unknown method {other} for service {service}"))),
        },
        other => Err(Status::unimplemented(format!("unknown service {other}"))),
    }
}

async fn apply(call: Call) -> Result<Reply, Status> {
    let request = ApplyConfigurationRequest::decode(call.message.clone()).map_err(|error| Status::internal(error.to_string()))?;
    let mode = Mode::try_from(request.mode);
    let unsupported = match mode {
        Ok(Mode::Reboot | Mode::Auto | Mode::Try) => None,
        Ok(Mode::NoReboot) => Some("no-reboot".to_owned()),
        Ok(Mode::Staged) => Some("staged".to_owned()),
        Err(_) => Some(request.mode.to_string()),
    };
    if let Some(mode) = unsupported {
        return Err(Status::unimplemented(format!("apply configuration --mode='{mode}' is not supported in maintenance mode")));
    }
    let shared = Arc::clone(&call.host.shared);
    shared.change(|world| world.configs.push(String::from_utf8_lossy(&request.data).into_owned()));
    let config = machinery::load(&shared.libraries, &call.talos(), &request.data).await.map_err(|error| match error {
        ConfigError::Parse(message) => Status::unknown(format!("failed to parse config: {message}")),
        invalid @ ConfigError::Invalid(_) => Status::invalid_argument(format!("configuration validation failed: {invalid}")),
    })?;
    let mut answer = ApplyConfiguration::default();
    if request.dry_run {
        "Dry run summary:\nNode is running in maintenance mode and does not have a config yet."
            .clone_into(&mut answer.mode_details);
    } else {
        let (host, node, node_boot) = (Arc::clone(&call.host), call.node.clone(), call.boot);
        // A machine installs and reboots into the config; the answer is on its way by then.
        call.host.spawn_lasting(&call.node, async move {
            tokio::time::sleep(host.shared.timing.down / 5).await;
            host.shared.change(|world| {
                if let Some(machine) = world.booted(&node, node_boot) {
                    machine.disk.config = Some(config);
                }
            });
            boot::go_down(Arc::clone(&host), node, node_boot, boot::Down::Reboot).await;
        });
    }
    Ok(Reply::message(&ApplyConfigurationResponse { messages: vec![answer] }))
}
