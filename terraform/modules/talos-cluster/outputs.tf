output "id" {
  description = "`ENVIRONMENT/REGION/NAME`."
  value       = inferadb_cluster.this.id
}

output "name" {
  description = "Name of the cluster."
  value       = inferadb_cluster.this.name
}

output "endpoint" {
  description = "The Kubernetes API: `https://ADDRESS:6443`."
  value       = inferadb_cluster.this.endpoint
}

output "nodes" {
  description = "Every node by name: role, pool, machine, zone, addresses, versions."
  value       = inferadb_cluster.this.nodes
}

output "security_group_id" {
  description = "The nodes' security group, or what the cloud has for it."
  value       = inferadb_cluster.this.security_group_id
}

output "config_contract" {
  description = "Talos version whose config defaults the cluster keeps for life."
  value       = inferadb_cluster.this.config_contract
}

output "kubeconfig" {
  description = "Admin access to Kubernetes, valid for a year; null with `credentials_in_state = false`."
  value       = inferadb_cluster.this.kubeconfig
  sensitive   = true
}

output "talosconfig" {
  description = "Admin access to Talos, valid for a year; null with `credentials_in_state = false`."
  value       = inferadb_cluster.this.talosconfig
  sensitive   = true
}
