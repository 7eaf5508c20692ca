output "regions" {
  description = "What stands, by region: ids, addresses and nodes."
  value = {
    for name, stack in module.stack : name => {
      region_id       = stack.region_id
      cluster_id      = stack.cluster_id
      endpoint        = stack.endpoint
      ingress_address = stack.ingress_address
      fqdn            = stack.fqdn
      backup_url      = stack.backup_url
      nodes           = { for node, it in stack.nodes : node => { pool = it.pool, zone = it.zone, instance_id = it.instance_id } }
    }
  }
}

output "cluster_settings" {
  description = "The data of each cluster's ConfigMap `cluster-settings`, which the GitOps tree substitutes: `terraform output -json cluster_settings`."
  value       = { for name, stack in module.stack : name => stack.cluster_settings }
}

output "secrets" {
  description = "Secrets in AWS Secrets Manager by region: keys of cert-manager, of FoundationDB's backups, of Loki, Tempo and Thanos."
  value = {
    for name, storage in module.observability : name => merge(
      storage.secrets,
      { cert-manager = module.certificate_credentials[name].secret },
      var.backup == null ? {} : { fdb-backup = module.backup_credentials[name].secret },
    )
  }
}

output "observability_buckets" {
  description = "Buckets of Loki, Tempo and Thanos by region."
  value       = { for name, storage in module.observability : name => storage.buckets }
}

output "kubeconfigs" {
  description = "Admin access to Kubernetes by region, valid for a year."
  value       = { for name, stack in module.stack : name => stack.kubeconfig }
  sensitive   = true
}

output "talosconfigs" {
  description = "Admin access to Talos by region, valid for a year."
  value       = { for name, stack in module.stack : name => stack.talosconfig }
  sensitive   = true
}
