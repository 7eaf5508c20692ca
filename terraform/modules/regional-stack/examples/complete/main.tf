# A region as staging has it, on a network of its own.

variable "cidr_block" {
  description = "Address range of the region's network."
  type        = string
  default     = "10.30.0.0/16"
}

provider "inferadb" {
  environment = "example"
}

module "nyc1" {
  source = "../../../../regions/nyc1/aws"
}

module "stack" {
  source = "../.."

  environment  = "example"
  region       = module.nyc1.region
  cluster_name = "example-nyc1"
  cidr_block   = var.cidr_block

  dns = {
    zone   = "inferadb.com"
    record = "api.example"
  }

  control_plane       = { machine_type = "small" }
  general             = { count = 2 }
  database            = { count = 3 }
  fdb_redundancy_mode = "double"

  control_plane_patches = [file("${path.module}/../../../../../talos/patches/common/cilium.yaml")]

  runtime_info = { ENGINE_REPLICAS = "2" }
}

output "runtime_info" {
  description = "For the cluster's ConfigMap `runtime-info`."
  value       = module.stack.runtime_info
}
