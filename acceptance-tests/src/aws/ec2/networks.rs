//! Networks: their addresses must be ones that somebody answers.

use ipnet::Ipv4Net;

use super::super::Cloud;
use super::super::answer::Refusal;
use super::super::request::Request;

/// CreateVpc. A node listens on its own address: outside the sandbox's range that is nobody's, or another sandbox's.
pub(crate) fn check(cloud: &Cloud, request: &Request) -> Result<(), Refusal> {
    let (Some(range), Some(wanted)) = (cloud.config.networks_in, request.parameters.get("CidrBlock")) else { return Ok(()) };
    // What is no address range at all is moto's to refuse.
    let Ok(network) = wanted.parse::<Ipv4Net>() else { return Ok(()) };
    if range.contains(&network) {
        return Ok(());
    }
    Err(Refusal::new(
        "InvalidVpc.Range",
        format!(
            "The CIDR '{wanted}' is invalid in this sandbox: its nodes listen on addresses of this machine, so a network must lie in \
             {range} (SANDBOX_NETWORK)."
        ),
    ))
}
