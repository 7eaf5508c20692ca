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

  pod_cidr     = "10.130.0.0/16"
  service_cidr = "10.230.0.0/16"

  control_plane = { machine_type = "small" }
  worker_pools = {
    general  = { count = 2 }
    database = { count = 3, taints = ["dedicated=database:NoSchedule"] }
  }
  fdb_redundancy_mode = "double"

  control_plane_patches = [file("${path.module}/../../../../../talos/patches/common/cilium.yaml")]

  settings = {
    ALERTING                    = "false"
    CONTROL_REPLICAS_MAX        = "2"
    CONTROL_REPLICAS_MIN        = "2"
    DASHBOARD_REPLICAS          = "1"
    ENGINE_REPLICAS_MAX         = "2"
    ENGINE_REPLICAS_MIN         = "2"
    FDB_BACKUP_MODE             = "daily"
    FDB_BACKUP_RETENTION_DAYS   = "30"
    FDB_BACKUP_SNAPSHOT_SECONDS = "86400"
    FDB_VOLUME_SIZE             = "64Gi"
    IMAGE_SIGNING               = "Enforce"
    LOGS_RETENTION_DAYS         = "30"
    METRICS_RETENTION_DAYS      = "90"
    NETWORK_POLICIES            = "enforced"
    SECRET_STORE                = "staging"
    TAILSCALE                   = "true"
    TLS_ISSUER                  = "letsencrypt-staging"
    TRACES_RETENTION_DAYS       = "7"
  }
}

output "cluster_settings" {
  description = "For the cluster's ConfigMap `cluster-settings`."
  value       = module.stack.cluster_settings
}
