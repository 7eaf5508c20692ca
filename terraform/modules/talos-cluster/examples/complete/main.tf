# A cluster with a pool for everything and one for databases, that boots with Cilium.

variable "cidr_block" {
  description = "Address range of the region's network."
  type        = string
  default     = "10.10.0.0/16"
}

provider "inferadb" {
  environment = "example"
}

module "region" {
  source = "../../../region"

  name       = "nyc1"
  cidr_block = var.cidr_block
}

module "cluster" {
  source = "../.."

  name      = "example-nyc1"
  region_id = module.region.id
  ingress   = true

  control_plane = {
    count          = 3
    machine_type   = "medium"
    config_patches = [file("${path.module}/../../../../../talos/patches/common/cilium.yaml")]
  }

  worker_pools = {
    general  = { count = 2 }
    database = { count = 3, machine_type = "large", disk_size = 100, taints = ["dedicated=database:NoSchedule"] }
  }

  pod_cidr     = "10.110.0.0/16"
  service_cidr = "10.210.0.0/16"

  config_patches = [file("${path.module}/../../../../../talos/patches/common/kubelet.yaml")]

  talos_api_allowed_cidrs = ["0.0.0.0/0"]
  tags                    = { owner = "platform" }
}

output "endpoint" {
  description = "The Kubernetes API."
  value       = module.cluster.endpoint
}

output "kubeconfig" {
  description = "Admin access to Kubernetes: `terraform output -raw kubeconfig`."
  value       = module.cluster.kubeconfig
  sensitive   = true
}
