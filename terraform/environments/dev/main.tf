locals {
  environment = "dev"
  patches     = "${path.module}/../../../talos/patches"
}

# The engine that the Docker CLI talks to: `DOCKER_HOST`, else its current context.
provider "inferadb" {
  environment = local.environment

  docker {
    load_balancer_image = var.load_balancer_image
  }
}

module "stack" {
  source   = "../../modules/regional-stack"
  for_each = local.regions

  environment  = local.environment
  region       = each.value
  cluster_name = "dev-${each.key}"
  cidr_block   = var.regions[each.key].cidr_block
  pod_cidr     = var.regions[each.key].pod_cidr
  service_cidr = var.regions[each.key].service_cidr
  ports        = var.regions[each.key].ports

  control_plane       = var.control_plane
  worker_pools        = var.worker_pools
  fdb_redundancy_mode = var.fdb_redundancy_mode
  backup              = null

  talos_version      = var.talos_version
  kubernetes_version = var.kubernetes_version
  image              = var.talos_image
  config_patches = [
    file("${local.patches}/common/kubelet.yaml"),
    file("${local.patches}/common/sysctls.yaml"),
    file("${local.patches}/common/logs.yaml"),
  ]
  control_plane_patches = [
    file("${local.patches}/common/cilium.yaml"),
    file("${local.patches}/dev/single-node.yaml"),
  ]

  settings = var.settings
}
