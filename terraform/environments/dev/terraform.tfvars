# Sizes of a laptop: docs/environment-parity.md has the table that a test compares with this file.

regions = {
  local = { cidr_block = "10.5.0.0/16" }
}

control_plane = { count = 1, machine_type = "small" }
general       = { count = 1, machine_type = "small" }

fdb_redundancy_mode = "single"

talos_version      = "v1.13.9"
kubernetes_version = "1.35.4"

runtime_info = {
  ENGINE_REPLICAS_MIN       = "1"
  ENGINE_REPLICAS_MAX       = "1"
  CONTROL_REPLICAS_MIN      = "1"
  CONTROL_REPLICAS_MAX      = "1"
  DASHBOARD_REPLICAS        = "1"
  TLS_ISSUER                = "self-signed"
  SECRET_STORE              = "local"
  FDB_BACKUP                = "none"
  FDB_BACKUP_RETENTION_DAYS = "0"
  ALERTING                  = "false"
}
