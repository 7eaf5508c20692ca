//! The secrets over the Talos API, with the talosconfig that `TALOSCONFIG` names: where a cloud gives no user data back, or may not.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clouds::{Machine, MachineRole};
use talos::client::{Clients, Identity};
use talos::secrets::Bundle;
use talos::yaml::{self, Node};
use tf_provider::{Diagnostic, Diagnostics};
use zeroize::Zeroizing;

use super::super::machines::address;

const VARIABLE: &str = "TALOSCONFIG";
const ASK_WITHIN: Duration = Duration::from_secs(10);

/// The bundle of the first control-plane node that answers; `None` where the variable is not set.
pub(super) async fn bundle(machines: &[Machine]) -> Result<Option<Bundle>, Diagnostics> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return Ok(None) };
    let shown = path.display().to_string();
    let unusable = |why: &str| {
        Diagnostics::from(
            Diagnostic::error(format!("The talosconfig `{shown}` cannot be used"))
                .detail(format!("`{VARIABLE}` names it. {why}. Nothing was changed.")),
        )
    };
    let text = tokio::fs::read_to_string(&path).await.map(Zeroizing::new).map_err(|error| unusable(&error.to_string()))?;
    let identity = identity(&text).ok_or_else(|| unusable("Its current context has no `ca`, `crt` and `key` in base64"))?;
    let clients = Clients::new(&identity).map_err(|error| unusable(&error.to_string()))?;
    let nodes = machines.iter().filter(|machine| machine.role == MachineRole::ControlPlane).filter_map(address);
    let answers = clients.each(nodes, ASK_WITHIN, |client| async move { client.machine_config().await }).await;
    let mut refused = Vec::new();
    for (node, answer) in answers {
        match answer.map(|config| Bundle::from_machine_config(config.yaml.as_bytes())) {
            Ok(Ok(bundle)) => return Ok(Some(bundle)),
            Ok(Err(error)) => refused.push(format!("{node}: {error}")),
            Err(error) => refused.push(format!("{node}: {error}")),
        }
    }
    Err(unusable(&format!("No control-plane node gives its machine config to it: {}", refused.join("; "))))
}

/// Who the current context is.
fn identity(text: &str) -> Option<Identity> {
    let documents = yaml::parse(text).ok()?;
    let document = documents.first()?;
    let name = document.get("context").and_then(Node::scalar)?;
    let context = document.get("contexts")?.get(name)?;
    let pem = |key: &str| {
        let bytes = STANDARD.decode(context.get(key)?.scalar()?).ok().map(Zeroizing::new)?;
        std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
    };
    Some(Identity::new(pem("ca")?.to_string(), pem("crt")?.to_string(), pem("key")?))
}
