# Sizes of production: docs/environment-parity.md has the table that a test compares with this file.

# Name your account in `allowed_account_ids`, so that no other can be changed by mistake.

regions = {
  nyc1 = { cidr_block = "10.10.0.0/16", failover = "PRIMARY" }
  sfo1 = { cidr_block = "10.20.0.0/16", failover = "SECONDARY" }
}

dns_zone   = "inferadb.com"
dns_record = "api"

control_plane = { count = 3, machine_type = "medium" }
general       = { count = 3, machine_type = "medium" }
database      = { count = 9, machine_type = "large" }

fdb_redundancy_mode = "three_data_hall"
backup              = { noncurrent_days = 7 }

talos_version      = "v1.13.9"
kubernetes_version = "1.35.4"

deletion_protection = true

runtime_info = {
  ENGINE_REPLICAS_MIN         = "3"
  ENGINE_REPLICAS_MAX         = "15"
  CONTROL_REPLICAS_MIN        = "2"
  CONTROL_REPLICAS_MAX        = "6"
  DASHBOARD_REPLICAS          = "2"
  TLS_ISSUER                  = "letsencrypt-production"
  SECRET_STORE                = "production"
  FDB_BACKUP                  = "continuous"
  FDB_BACKUP_SNAPSHOT_SECONDS = "3600"
  FDB_BACKUP_RETENTION_DAYS   = "30"
  ALERTING                    = "true"
}
