output "region_id" {
  description = "Id of the region."
  value       = module.region.id
}

output "cluster_id" {
  description = "Id of the cluster."
  value       = module.cluster.id
}

output "endpoint" {
  description = "The Kubernetes API: `https://ADDRESS:6443`."
  value       = module.cluster.endpoint
}

output "ingress_address" {
  description = "DNS name or address of the ingress load balancer."
  value       = module.region.ingress_address
}

output "fqdn" {
  description = "The name that clients reach the region by; null without `dns`."
  value       = module.region.fqdn
}

output "nodes" {
  description = "Every node by name."
  value       = module.cluster.nodes
}

output "backup_url" {
  description = "What `fdbbackup start -d` takes; null without `backup`."
  value       = one(module.backup[*].url)
}

output "runtime_info" {
  description = "What the GitOps tree substitutes in this cluster: the data of its ConfigMap `runtime-info`. No secrets."
  value = merge(
    {
      ENVIRONMENT         = var.environment
      REGION              = var.region.name
      PROVIDER_TYPE       = var.region.provider_type
      PROVIDER_REGION     = module.region.provider_region
      ZONES               = join(",", module.region.zones)
      CLUSTER_NAME        = module.cluster.name
      API_ENDPOINT        = module.cluster.endpoint
      INGRESS_ADDRESS     = module.region.ingress_address
      API_FQDN            = module.region.fqdn == null ? "" : module.region.fqdn
      FDB_REDUNDANCY_MODE = var.fdb_redundancy_mode
      FDB_NODES           = tostring(try(var.database.count, 1))
      FDB_BACKUP_URL      = var.backup == null ? "" : one(module.backup[*].url)
    },
    var.runtime_info,
  )
}

output "kubeconfig" {
  description = "Admin access to Kubernetes, valid for a year; null with `credentials_in_state = false`."
  value       = module.cluster.kubeconfig
  sensitive   = true
}

output "talosconfig" {
  description = "Admin access to Talos, valid for a year; null with `credentials_in_state = false`."
  value       = module.cluster.talosconfig
  sensitive   = true
}
