import {
  to = inferadb_fdb_backup.prod
  id = "production/nyc1/inferadb-prod-fdb-backup"
}
