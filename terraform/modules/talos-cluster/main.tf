locals {
  # Pools are a list to Terraform: where one stands is what a plan goes by.
  pool_names = [
    for place in sort([for name, pool in var.worker_pools : format("%04d %s", pool.order, name)]) : split(" ", place)[1]
  ]
}

resource "inferadb_cluster" "this" {
  name               = var.name
  region_id          = var.region_id
  talos_version      = var.talos_version
  kubernetes_version = var.kubernetes_version
  image              = var.image
  ingress            = var.ingress

  pod_cidr                     = var.pod_cidr
  service_cidr                 = var.service_cidr
  kubernetes_api_allowed_cidrs = var.kubernetes_api_allowed_cidrs
  talos_api_allowed_cidrs      = var.talos_api_allowed_cidrs
  cert_sans                    = var.cert_sans

  config_patches       = var.config_patches
  credentials_in_state = var.credentials_in_state
  deletion_protection  = var.deletion_protection
  tags                 = var.tags

  control_plane {
    count          = var.control_plane.count
    machine_type   = var.control_plane.machine_type
    disk_size      = var.control_plane.disk_size
    disk_type      = var.control_plane.disk_type
    zones          = var.control_plane.zones
    config_patches = var.control_plane.config_patches
  }

  dynamic "worker_pool" {
    for_each = local.pool_names

    content {
      name           = worker_pool.value
      count          = var.worker_pools[worker_pool.value].count
      machine_type   = var.worker_pools[worker_pool.value].machine_type
      disk_size      = var.worker_pools[worker_pool.value].disk_size
      disk_type      = var.worker_pools[worker_pool.value].disk_type
      zones          = var.worker_pools[worker_pool.value].zones
      labels         = merge({ "inferadb.com/pool" = worker_pool.value }, var.worker_pools[worker_pool.value].labels)
      annotations    = var.worker_pools[worker_pool.value].annotations
      taints         = var.worker_pools[worker_pool.value].taints
      config_patches = var.worker_pools[worker_pool.value].config_patches
    }
  }

  dynamic "timeouts" {
    for_each = var.timeouts[*]

    content {
      create = timeouts.value.create
      read   = timeouts.value.read
      update = timeouts.value.update
      delete = timeouts.value.delete
    }
  }
}
