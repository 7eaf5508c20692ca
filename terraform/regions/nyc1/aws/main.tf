# What this region is, and nothing that an environment decides: sizes, address ranges and versions are theirs.

locals {
  region = {
    name                  = var.name
    provider_type         = "aws"
    provider_region       = var.provider_region
    zones                 = var.zones
    backup_replica_region = var.backup_replica_region
  }
}
