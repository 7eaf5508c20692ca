output "id" {
  description = "`ENVIRONMENT/REGION/NAME`."
  value       = inferadb_fdb_backup.this.id
}

output "bucket" {
  description = "Name of the bucket."
  value       = inferadb_fdb_backup.this.bucket
}

output "host" {
  description = "Host that the bucket is reached at."
  value       = inferadb_fdb_backup.this.host
}

output "url" {
  description = "What `fdbbackup start -d` and `backup_agent` take."
  value       = inferadb_fdb_backup.this.url
}

output "replica_bucket" {
  description = "Name of the second bucket; null without `replica`."
  value       = inferadb_fdb_backup.this.replica_bucket
}
