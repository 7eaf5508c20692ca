# Made, found unchanged, removed. Needs a cloud: `TF_VAR_cidr_block` says where there is room.

provider "inferadb" {
  environment = "test"
}

variables {
  environment  = "test"
  cluster_name = "test-nyc1"
  region = {
    name                  = "nyc1"
    provider_type         = "aws"
    provider_region       = "us-east-1"
    zones                 = ["us-east-1a", "us-east-1b", "us-east-1c"]
    backup_replica_region = "us-west-2"
  }
  pod_cidr      = "10.110.0.0/16"
  service_cidr  = "10.210.0.0/16"
  control_plane = { count = 1, machine_type = "small" }
  worker_pools = {
    general  = { count = 1 }
    database = { count = 3, taints = ["dedicated=database:NoSchedule"] }
  }
  fdb_redundancy_mode = "double"
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

run "made" {
  assert {
    condition     = output.region_id == "test/aws/us-east-1/nyc1" && output.cluster_id == "test/nyc1/test-nyc1"
    error_message = "Ids name environment and region: ${output.region_id}, ${output.cluster_id}"
  }
  assert {
    condition     = length(distinct([for node in values(output.nodes) : node.zone if node.pool == "database"])) == 3
    error_message = "Databases stand in different zones: ${jsonencode(output.nodes)}"
  }
  assert {
    condition     = output.cluster_settings["FDB_BACKUP_URL"] == output.backup_url && output.cluster_settings["ENGINE_REPLICAS_MAX"] == "2"
    error_message = "The GitOps tree is told of what was made, and what it was given: ${jsonencode(output.cluster_settings)}"
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = alltrue([for node in values(output.nodes) : node.instance_id != ""]) && output.endpoint != ""
    error_message = "A second apply would make nothing again."
  }
}
