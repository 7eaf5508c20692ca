# What cannot work is refused before any cloud is asked.

provider "inferadb" {
  environment = "test"
}

variables {
  environment  = "test"
  cluster_name = "test-nyc1"
  cidr_block   = "10.10.0.0/16"
  region = {
    name            = "nyc1"
    provider_type   = "aws"
    provider_region = "us-east-1"
    zones           = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
  pod_cidr     = "10.110.0.0/16"
  service_cidr = "10.210.0.0/16"
  worker_pools = {
    general  = { count = 1 }
    database = { count = 9, taints = ["dedicated=database:NoSchedule"] }
  }
  fdb_redundancy_mode = "three_data_hall"
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

run "three_halls_in_two_zones" {
  command = plan
  variables {
    region = {
      name            = "sfo1"
      provider_type   = "aws"
      provider_region = "us-west-1"
      zones           = ["us-west-1a", "us-west-1b"]
    }
  }
  expect_failures = [var.fdb_redundancy_mode]
}

run "halls_of_different_sizes" {
  command = plan
  variables {
    worker_pools = { database = { count = 10, taints = ["dedicated=database:NoSchedule"] } }
  }
  expect_failures = [var.worker_pools]
}

run "halls_without_machines" {
  command = plan
  variables {
    worker_pools = { general = { count = 9 } }
  }
  expect_failures = [var.worker_pools]
}

run "fewer_machines_than_coordinators" {
  command = plan
  variables {
    worker_pools        = { database = { count = 4, taints = ["dedicated=database:NoSchedule"] } }
    fdb_redundancy_mode = "triple"
  }
  expect_failures = [var.worker_pools]
}

run "a_mode_that_foundationdb_does_not_have" {
  command = plan
  variables {
    fdb_redundancy_mode = "three_datacenters"
  }
  expect_failures = [var.fdb_redundancy_mode]
}

run "databases_that_anything_may_join" {
  command = plan
  variables {
    worker_pools = { database = { count = 9 } }
  }
  expect_failures = [var.worker_pools]
}

run "pods_and_services_in_the_network" {
  command = plan
  variables {
    pod_cidr     = "10.10.0.0/20"
    service_cidr = "10.10.128.0/20"
  }
  expect_failures = [var.pod_cidr, var.service_cidr]
}

run "a_cluster_that_is_told_less_than_others" {
  command = plan
  variables {
    settings = { TLS_ISSUER = "self-signed" }
  }
  expect_failures = [var.settings]
}

run "backups_that_go_nowhere" {
  command = plan
  variables {
    backup = null
  }
  expect_failures = [var.settings]
}

run "backups_that_the_bucket_deletes_first" {
  command = plan
  variables {
    backup = { retention_days = 30 }
  }
  expect_failures = [var.settings]
}
