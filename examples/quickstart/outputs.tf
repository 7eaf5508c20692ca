output "endpoint" {
  description = "The Kubernetes API, on the cluster's own load balancer."
  value       = inferadb_cluster.demo.endpoint
}

output "nodes" {
  description = "Every node: its cloud machine, zone and address."
  value = {
    for name, node in inferadb_cluster.demo.nodes :
    name => "${node.instance_id} in ${node.zone}, ${node.private_ip}"
  }
}

output "backup_url" {
  description = "What `fdbbackup start -d` takes."
  value       = inferadb_fdb_backup.demo.url
}

output "kubeconfig" {
  description = "Admin access to Kubernetes: `terraform output -raw kubeconfig`."
  value       = inferadb_cluster.demo.kubeconfig
  sensitive   = true
}

output "talosconfig" {
  description = "Admin access to Talos: `terraform output -raw talosconfig`."
  value       = inferadb_cluster.demo.talosconfig
  sensitive   = true
}
