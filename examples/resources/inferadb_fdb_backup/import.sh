# ENVIRONMENT/REGION/NAME
terraform import inferadb_fdb_backup.prod production/nyc1/inferadb-prod-fdb-backup
