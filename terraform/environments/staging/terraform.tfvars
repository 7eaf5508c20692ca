# Sizes of staging: docs/environment-parity.md has the table that a test compares with this file.
# One region is up all the time. `-var-file=drill.tfvars` adds the second for a disaster recovery drill.

regions = {
  nyc1 = { cidr_block = "10.30.0.0/16", failover = "PRIMARY" }
}

dns_zone   = "inferadb.com"
dns_record = "api.staging"

control_plane = { count = 3, machine_type = "small" }
general       = { count = 2, machine_type = "medium" }
database      = { count = 3, machine_type = "medium" }

fdb_redundancy_mode = "double"
backup              = { noncurrent_days = 7 }

talos_version      = "v1.13.9"
kubernetes_version = "1.35.4"

deletion_protection = false

runtime_info = {
  ENGINE_REPLICAS_MIN         = "2"
  ENGINE_REPLICAS_MAX         = "2"
  CONTROL_REPLICAS_MIN        = "2"
  CONTROL_REPLICAS_MAX        = "2"
  DASHBOARD_REPLICAS          = "1"
  TLS_ISSUER                  = "letsencrypt-staging"
  SECRET_STORE                = "staging"
  FDB_BACKUP                  = "daily"
  FDB_BACKUP_SNAPSHOT_SECONDS = "86400"
  FDB_BACKUP_RETENTION_DAYS   = "30"
  ALERTING                    = "false"
}
