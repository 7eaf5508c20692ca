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

output "network_id" {
  description = "Id of the network (on AWS the VPC)."
  value       = module.region.network_id
}

output "subnet_ids" {
  description = "Subnet ids by zone."
  value       = module.region.subnet_ids
}

output "backup_url" {
  description = "What `fdbbackup start -d` takes; null without `backup`."
  value       = one(module.backup[*].url)
}

output "backup_bucket" {
  description = "Name of the bucket for backups; null without `backup`."
  value       = one(module.backup[*].bucket)
}

output "backup_host" {
  description = "Host that the bucket for backups is reached at; null without `backup`."
  value       = one(module.backup[*].host)
}

output "cluster_settings" {
  description = "The data of the cluster's ConfigMap `cluster-settings`, which the GitOps tree substitutes: the same keys in every cluster, all texts, no secrets, and nothing that only the cloud's answer tells."
  value = merge(
    var.settings,
    {
      CLUSTER_NAME        = var.cluster_name
      CLUSTER_ROLE        = lower(coalesce(try(var.dns.failover, null), "PRIMARY"))
      ENVIRONMENT         = var.environment
      REGION              = var.region.name
      PROVIDER_TYPE       = var.region.provider_type
      PROVIDER_REGION     = var.region.provider_region
      ZONES               = join(",", var.region.zones)
      NETWORK_CIDR        = var.cidr_block
      POD_CIDR            = var.pod_cidr
      SERVICE_CIDR        = var.service_cidr
      DNS_ZONE            = try(var.dns.zone, "localhost")
      DNS_RECORD          = try(var.dns.record, "api")
      FDB_REDUNDANCY_MODE = var.fdb_redundancy_mode
      FDB_NODES           = tostring(try(var.worker_pools.database.count, 1))
      FDB_BACKUP_BUCKET   = var.backup == null ? "" : one(module.backup[*].bucket)
      FDB_BACKUP_URL      = var.backup == null ? "" : one(module.backup[*].url)
    },
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
