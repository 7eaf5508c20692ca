# Sizes of a laptop: docs/environment-parity.md has the table that a test compares with this file.

regions = {
  local = { cidr_block = "10.5.0.0/16" }
}

control_plane = { count = 1, machine_type = "small" }
worker_pools = {
  general = { count = 1, machine_type = "small" }
}

fdb_redundancy_mode = "single"

talos_version      = "v1.13.9"
kubernetes_version = "1.35.4"

settings = {
  ALERTING                    = "false"
  CONTROL_REPLICAS_MAX        = "1"
  CONTROL_REPLICAS_MIN        = "1"
  DASHBOARD_REPLICAS          = "1"
  ENGINE_REPLICAS_MAX         = "1"
  ENGINE_REPLICAS_MIN         = "1"
  FDB_BACKUP_MODE             = "none"
  FDB_BACKUP_RETENTION_DAYS   = "0"
  FDB_BACKUP_SNAPSHOT_SECONDS = "0"
  FDB_VOLUME_SIZE             = "8Gi"
  IMAGE_SIGNING               = "Audit"
  LOGS_RETENTION_DAYS         = "1"
  METRICS_RETENTION_DAYS      = "1"
  NETWORK_POLICIES            = "permissive"
  SECRET_STORE                = "local"
  TAILSCALE                   = "false"
  TLS_ISSUER                  = "self-signed"
  TRACES_RETENTION_DAYS       = "1"
}
