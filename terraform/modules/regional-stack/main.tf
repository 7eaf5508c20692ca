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
    disk_type      = var.control_plane.disk_type
    zones          = var.control_plane.zones
    config_patches = var.control_plane_patches
  }

  worker_pools = var.worker_pools

  pod_cidr     = var.pod_cidr
  service_cidr = var.service_cidr

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

  name                  = var.backup.name
  bucket_prefix         = var.backup.bucket_prefix
  region_id             = module.region.id
  noncurrent_days       = var.backup.noncurrent_days
  abort_incomplete_days = var.backup.abort_incomplete_days
  archive_after_days    = var.backup.archive_after_days
  retention_days        = var.backup.retention_days
  force_destroy         = var.backup.force_destroy
  deletion_protection   = var.deletion_protection
  tags                  = var.tags

  replica = var.region.backup_replica_region == null || !var.backup.replicate ? null : {
    provider_region = var.region.backup_replica_region
    name            = var.backup.replica_name
  }
}

locals {
  # Machines that FoundationDB's operator wants for coordinators, each on one of its own: a majority outlives one failure in
  # `double`, two in `triple`, and a whole hall and one more in `three_data_hall`.
  database_nodes_needed = { single = 1, double = 3, triple = 5, three_data_hall = 9 }

  # What `settings` has to say, for `cluster_settings` to have the same keys in every cluster.
  setting_names = [
    "ALERTING",
    "CONTROL_REPLICAS_MAX",
    "CONTROL_REPLICAS_MIN",
    "DASHBOARD_REPLICAS",
    "ENGINE_REPLICAS_MAX",
    "ENGINE_REPLICAS_MIN",
    "FDB_BACKUP_MODE",
    "FDB_BACKUP_RETENTION_DAYS",
    "FDB_BACKUP_SNAPSHOT_SECONDS",
    "FDB_VOLUME_SIZE",
    "IMAGE_SIGNING",
    "LOGS_RETENTION_DAYS",
    "METRICS_RETENTION_DAYS",
    "NETWORK_POLICIES",
    "SECRET_STORE",
    "TAILSCALE",
    "TLS_ISSUER",
    "TRACES_RETENTION_DAYS",
  ]
}
