# Sizes of production: docs/environment-parity.md has the table that a test compares with this file.

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
  nyc1 = { cidr_block = "10.10.0.0/16", pod_cidr = "10.110.0.0/16", service_cidr = "10.210.0.0/16", failover = "PRIMARY" }
  sfo1 = { cidr_block = "10.20.0.0/16", pod_cidr = "10.120.0.0/16", service_cidr = "10.220.0.0/16", failover = "SECONDARY" }
}

dns_zone   = "inferadb.com"
dns_record = "api"

control_plane = { count = 3, machine_type = "medium" }
# `database` is for FoundationDB, which the GitOps tree does not have: docs/cost-estimation.md says what the machines cost without it.
worker_pools = {
  general  = { count = 3, machine_type = "medium" }
  database = { count = 9, machine_type = "large", disk_size = 100, taints = ["dedicated=database:NoSchedule"] }
}

fdb_redundancy_mode = "three_data_hall"
backup              = { noncurrent_days = 7 }

talos_version      = "v1.13.9"
kubernetes_version = "1.35.4"

secrets_recovery_days = 7

deletion_protection = true

settings = {
  ALERTING                    = "true"
  CONTROL_REPLICAS_MAX        = "6"
  CONTROL_REPLICAS_MIN        = "2"
  DASHBOARD_REPLICAS          = "2"
  ENGINE_REPLICAS_MAX         = "15"
  ENGINE_REPLICAS_MIN         = "3"
  FDB_BACKUP_MODE             = "continuous"
  FDB_BACKUP_RETENTION_DAYS   = "30"
  FDB_BACKUP_SNAPSHOT_SECONDS = "3600"
  FDB_VOLUME_SIZE             = "64Gi"
  IMAGE_SIGNING               = "Enforce"
  LOGS_RETENTION_DAYS         = "30"
  METRICS_RETENTION_DAYS      = "365"
  NETWORK_POLICIES            = "enforced"
  SECRET_STORE                = "production"
  TAILSCALE                   = "true"
  TLS_ISSUER                  = "letsencrypt-production"
  TRACES_RETENTION_DAYS       = "7"
}

tailscale = { auth_key_parameter = "/inferadb/production/tailscale" }

costs = {
  monthly_limit = 8500
  emails        = ["platform-team@inferadb.com"]
  urgent_emails = ["oncall@inferadb.com"]
}
