# Sizes of staging: docs/environment-parity.md has the table that a test compares with this file.
# One region is up all the time. `-var-file=drill.tfvars` adds the second for a disaster recovery drill.

# Not in here, since they are yours and nobody else's: who may reach the APIs. Write them into `account.auto.tfvars` beside this
# file, with the account that alone may be changed:
#
#   allowed_account_ids          = ["123456789012"]
#   kubernetes_api_allowed_cidrs = ["203.0.113.0/24"]
#   talos_api_allowed_cidrs      = ["203.0.113.0/24"]
#
# What is InferaDB's own here goes in there too, and that file counts before this one: `dns_zone`, `costs`, and `bucket_prefix` where
# the buckets' names are somebody else's already. terraform/README.md lists all that is yours.

regions = {
  nyc1 = { cidr_block = "10.30.0.0/16", pod_cidr = "10.130.0.0/16", service_cidr = "10.230.0.0/16", failover = "PRIMARY" }
}

dns_zone   = "staging.inferadb.com"
dns_record = "api"

control_plane = { count = 3, machine_type = "small" }
# `database` is for FoundationDB, which the GitOps tree does not have: docs/cost-estimation.md says what the machines cost without it.
worker_pools = {
  general  = { count = 2, machine_type = "medium" }
  database = { count = 3, machine_type = "medium", disk_size = 100, taints = ["dedicated=database:NoSchedule"] }
}

fdb_redundancy_mode = "double"
backup              = { noncurrent_days = 7 }

talos_version      = "v1.13.9"
kubernetes_version = "1.35.4"

secrets_recovery_days = 0

deletion_protection = false

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

tailscale = { auth_key_parameter = "/inferadb/staging/tailscale" }

costs = {
  monthly_limit = 1250
  emails        = ["platform-team@inferadb.com"]
}
