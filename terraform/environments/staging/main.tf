locals {
  environment = "staging"
  patches     = "${path.module}/../../../talos/patches"
}

provider "inferadb" {
  environment         = local.environment
  allowed_account_ids = var.allowed_account_ids
  default_tags        = { project = "inferadb" }
}

module "stack" {
  source   = "../../modules/regional-stack"
  for_each = local.regions

  environment  = local.environment
  region       = each.value
  cluster_name = "staging-${each.key}"
  cidr_block   = var.regions[each.key].cidr_block
  pod_cidr     = var.regions[each.key].pod_cidr
  service_cidr = var.regions[each.key].service_cidr

  # Clients know one name. The primary is answered while its health check passes, else the secondary.
  dns = {
    zone         = var.dns_zone
    record       = var.dns_record
    failover     = var.regions[each.key].failover
    health_check = { path = "/healthz", failure_threshold = 3, request_interval = 10 }
  }

  kubernetes_api_allowed_cidrs = var.kubernetes_api_allowed_cidrs
  # Who comes through a router comes from the router's address in the network.
  talos_api_allowed_cidrs = concat(var.talos_api_allowed_cidrs, var.tailscale == null ? [] : [var.regions[each.key].cidr_block])

  control_plane       = var.control_plane
  worker_pools        = var.worker_pools
  fdb_redundancy_mode = var.fdb_redundancy_mode
  backup = var.backup == null ? null : merge(var.backup, {
    bucket_prefix = var.bucket_prefix
    force_destroy = var.backup.force_destroy || var.regions[each.key].force_destroy
  })

  talos_version      = var.talos_version
  kubernetes_version = var.kubernetes_version
  config_patches = [
    file("${local.patches}/common/kubelet.yaml"),
    file("${local.patches}/common/sysctls.yaml"),
    file("${local.patches}/common/logs.yaml"),
    file("${local.patches}/machines/sysctls.yaml"),
    file("${local.patches}/production/hardening.yaml"),
    file("${local.patches}/production/serving-certificates.yaml"),
  ]
  control_plane_patches = [
    file("${local.patches}/common/cilium.yaml"),
    file("${local.patches}/staging/audit.yaml"),
    file("${local.patches}/production/pod-security.yaml"),
  ]

  settings            = var.settings
  deletion_protection = var.deletion_protection
}
