//! Credentials that a control-plane node makes: kubeconfig and talosconfig.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use proto::talos::common::Data;
use proto::talos::machine as wire;
use rcgen::ExtendedKeyUsagePurpose;
use tonic::Status;

use super::api::Call;
use super::grpc::Reply;
use super::machine_config::{Authority, MachineConfig};
use super::pki::{self, Subject};

fn config_of(call: &Call) -> Result<(MachineConfig, String), Status> {
    let world = call.host.shared.look();
    let found = world.machines.get(&call.node).and_then(|machine| Some((machine.config.clone()?, machine.address().to_string())));
    found.ok_or_else(|| Status::unavailable("the node runs no config"))
}

fn client(
    authority: Option<&Authority>,
    name: Option<&str>,
    organizations: &[String],
    lifetime: time::Duration,
) -> Result<pki::Issued, Status> {
    let subject = Subject {
        common_name: name,
        organizations,
        names: &[],
        addresses: &[],
        usage: ExtendedKeyUsagePurpose::ClientAuth,
        lifetime,
    };
    authority
        .ok_or(pki::PkiError::Authority)
        .and_then(|authority| pki::issue(authority, &subject))
        .map_err(|error| Status::internal(error.to_string()))
}

/// `Kubeconfig`: a gzipped tar with one file in it.
pub(super) fn kubeconfig(call: &Call) -> Result<Reply, Status> {
    let (config, _) = config_of(call)?;
    let authority = config.kubernetes_authority();
    let admin = client(authority.as_ref(), Some("admin"), &["system:masters".to_owned()], time::Duration::days(365))?;
    let name = config.cluster_name();
    let encoded = |text: &str| STANDARD.encode(text);
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {name}\n  cluster:\n    server: {}\n    certificate-authority-data: {}\nusers:\n\
         - name: admin@{name}\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\ncontexts:\n- context:\n    cluster: \
         {name}\n    namespace: default\n    user: admin@{name}\n  name: admin@{name}\ncurrent-context: admin@{name}\n",
        config.endpoint().unwrap_or_default(),
        encoded(&authority.map(|authority| authority.certificate).unwrap_or_default()),
        encoded(&admin.certificate_pem()),
        encoded(&admin.key_pem()),
    );
    let packed = tar_gz("kubeconfig", text.as_bytes()).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Reply::all(&[Data { metadata: None, bytes: packed }], None))
}

fn tar_gz(name: &str, content: &[u8]) -> std::io::Result<Vec<u8>> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    // The sum is made with blanks in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&header)?;
    packer.write_all(content)?;
    packer.write_all(&vec![0; (BLOCK - content.len() % BLOCK) % BLOCK + 2 * BLOCK])?;
    packer.finish()
}

/// `GenerateClientConfiguration`: any roles, any positive lifetime.
pub(super) fn generate(call: &Call, request: &wire::GenerateClientConfigurationRequest) -> Result<Reply, Status> {
    let (config, address) = config_of(call)?;
    if !config.is_control_plane() {
        return Err(Status::failed_precondition("client configuration (talosconfig) can't be generated on worker nodes"));
    }
    let lifetime = request.crt_ttl.unwrap_or_default();
    if lifetime.seconds < 0 || (lifetime.seconds == 0 && lifetime.nanos <= 0) {
        return Err(Status::invalid_argument("crt_ttl should be positive"));
    }
    let authority = config.talos_authority();
    let issued = client(authority.as_ref(), None, &request.roles, time::Duration::seconds(lifetime.seconds))?;
    let ca = authority.map(|authority| authority.certificate).unwrap_or_default();
    let name = config.cluster_name();
    let role = request.roles.first().map(|role| role.trim_start_matches("os:").to_owned()).filter(|_| request.roles.len() == 1);
    let context = role.filter(|role| role != "admin").map_or_else(|| name.clone(), |role| format!("{role}@{name}"));
    let encoded = |text: &str| STANDARD.encode(text);
    let talosconfig = format!(
        "context: {context}\ncontexts:\n    {context}:\n        endpoints:\n            - {address}\n        ca: {}\n        crt: {}\n        key: {}\n",
        encoded(&ca),
        encoded(&issued.certificate_pem()),
        encoded(&issued.key_pem()),
    );
    let message = wire::GenerateClientConfiguration {
        metadata: None,
        ca: ca.into_bytes(),
        crt: issued.certificate_pem().into_bytes(),
        key: issued.key_pem().into_bytes(),
        talosconfig: talosconfig.into_bytes(),
    };
    Ok(Reply::message(&wire::GenerateClientConfigurationResponse { messages: vec![message] }))
}
