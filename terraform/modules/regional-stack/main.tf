# One region of an environment: its network and name, its cluster, and the store that its database backs up to.

module "region" {
  source = "../region"

  name                  = var.region.name
  provider_type         = var.region.provider_type
  provider_region       = var.region.provider_region
  zones                 = var.region.zones
  cidr_block            = var.cidr_block
  ingress_allowed_cidrs = var.ingress_allowed_cidrs
  ports                 = var.ports
  dns                   = var.dns
  tags                  = var.tags
}

module "cluster" {
  source = "../talos-cluster"

  name               = var.cluster_name
  region_id          = module.region.id
  talos_version      = var.talos_version
  kubernetes_version = var.kubernetes_version
  image              = var.image
  ingress            = true

  control_plane = {
    count          = var.control_plane.count
    machine_type   = var.control_plane.machine_type
    disk_size      = var.control_plane.disk_size
    config_patches = var.control_plane_patches
  }

  general  = var.general
  database = var.database

  config_patches               = var.config_patches
  kubernetes_api_allowed_cidrs = var.kubernetes_api_allowed_cidrs
  talos_api_allowed_cidrs      = var.talos_api_allowed_cidrs
  credentials_in_state         = var.credentials_in_state
  deletion_protection          = var.deletion_protection
  tags                         = var.tags
}

module "backup" {
  source = "../fdb-backup"
  count  = var.backup == null ? 0 : 1

  name                = coalesce(var.backup.name, "inferadb-${var.environment}-${var.region.name}-fdb-backup")
  region_id           = module.region.id
  noncurrent_days     = var.backup.noncurrent_days
  replica             = var.region.backup_replica_region == null ? null : { provider_region = var.region.backup_replica_region }
  deletion_protection = var.deletion_protection
  tags                = var.tags
}

locals {
  # Machines that FoundationDB's operator wants for coordinators, each on one of its own: a majority outlives one failure in
  # `double`, two in `triple`, and a whole hall and one more in `three_data_hall`.
  database_nodes_needed = { single = 1, double = 3, triple = 5, three_data_hall = 9 }
}
