output "region" {
  description = "For the module `regional-stack`."
  value       = local.region

  precondition {
    condition     = alltrue([for zone in var.zones : startswith(zone, var.provider_region)])
    error_message = "`zones` of this region are not all in its `provider_region`, ${var.provider_region}: ${join(", ", var.zones)}."
  }

  precondition {
    condition     = var.backup_replica_region != var.provider_region
    error_message = "`backup_replica_region` is the region itself, ${var.provider_region}: a copy of the backups has to outlive it."
  }
}
