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

output "observability" {
  description = "Buckets of Loki, Tempo and Thanos by region, and the secrets in AWS Secrets Manager that hold their keys."
  value       = { for name, storage in module.observability : name => { buckets = storage.buckets, secrets = storage.secrets } }
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
