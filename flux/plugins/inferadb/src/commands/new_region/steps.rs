//! What is left for a person.

use std::fmt::Write as _;

use super::environment::Environment;
use super::region::Region;

/// The steps, numbered, each with its commands.
pub(super) fn left(environment: &Environment, region: &Region, cluster: &str, settings: &[(String, String)]) -> String {
    let (name, folder, at) = (&region.name, environment.folder(), &region.place);
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    let zones = region.zones.join(", ");
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    if region.provider == "aws" {
        steps.push((
            format!(
                "Look whether your account has the zones {zones}; others go into `zones` in \
                 terraform/regions/{name}/aws/variables.tf, and into ZONES in {cluster}/cluster-settings.yaml."
            ),
            vec![format!("aws ec2 describe-availability-zones --region {at} --query 'AvailabilityZones[].ZoneName'")],
        ));
    }
    if let Some(parameter) = environment.auth_key_parameter() {
        steps.push((
            "Put the tailnet's auth key into the new region's Systems Manager, and the region's network under \
             `autoApprovers` in Tailscale."
                .to_owned(),
            vec![
                "read -rs AUTH_KEY".to_owned(),
                format!(
                    "aws ssm put-parameter --region {at} --name {parameter} --type SecureString --overwrite --value \"$AUTH_KEY\""
                ),
            ],
        ));
    }
    steps.push((
        "Commit, and apply. An apply without the file takes the region away: to keep it, move its entry into \
             terraform.tfvars, and its name into the row `regions` of docs/environment-parity.md. For a drill, add \
             `force_destroy = true` to it, and its buckets go with what is in them."
            .to_owned(),
        vec![format!("terraform -chdir={folder} init"), format!("terraform -chdir={folder} apply -var-file={name}.tfvars")],
    ));
    steps.push((
        format!("What the output says of {name} is the data of {cluster}/cluster-settings.yaml; commit it where it differs."),
        vec![format!("terraform -chdir={folder} output -json cluster_settings")],
    ));
    steps.push((
        "Merge, then start Flux with kubectl's context on the new cluster.".to_owned(),
        vec![format!("GIT_PASSWORD=$TOKEN SOPS_AGE_KEY_FILE={cluster}.agekey scripts/flux-bootstrap.sh {cluster}")],
    ));
    if settings.iter().any(|(key, value)| key == "TLS_ISSUER" && value.starts_with("letsencrypt")) {
        steps.push((
            "Bring the Secret `route53` into the cluster, as terraform/modules/certificate-credentials says: no certificate \
             is issued before."
                .to_owned(),
            Vec::new(),
        ));
    }
    let mut out = "\nleft to do:\n".to_owned();
    for (number, (what, commands)) in steps.iter().enumerate() {
        let _ = writeln!(out, "{}. {what}", number + 1);
        for command in commands {
            let _ = writeln!(out, "   $ {command}");
        }
    }
    out
}
