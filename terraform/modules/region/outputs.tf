output "id" {
  description = "What clusters and backup stores name the region by: `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`. Known in a plan."
  value       = inferadb_region.this.id
}

output "name" {
  description = "Name of the region."
  value       = inferadb_region.this.name
}

output "provider_region" {
  description = "The cloud's own name of its region."
  value       = inferadb_region.this.provider_region
}

output "account_id" {
  description = "Cloud account that the region stands in."
  value       = inferadb_region.this.account_id
}

output "network_id" {
  description = "Id of the network (on AWS the VPC)."
  value       = inferadb_region.this.network_id
}

output "cidr_block" {
  description = "Address range of the network."
  value       = inferadb_region.this.cidr_block
}

output "zones" {
  description = "Zones that the region has a subnet in."
  value       = inferadb_region.this.zones
}

output "subnet_ids" {
  description = "Subnet ids by zone."
  value       = inferadb_region.this.subnet_ids
}

output "ingress_address" {
  description = "DNS name or address of the ingress load balancer."
  value       = inferadb_region.this.ingress_address
}

output "fqdn" {
  description = "Full name of the DNS record; null without `dns`."
  value       = inferadb_region.this.fqdn
}
