# Where FoundationDB backs up to: a bucket that only TLS reaches, with old versions kept for a week and a copy elsewhere.
resource "inferadb_fdb_backup" "prod" {
  name            = "inferadb-prod-fdb-backup"
  region_id       = inferadb_region.nyc1.id
  noncurrent_days = 7

  replica {
    provider_region = "us-west-1"
  }
}
