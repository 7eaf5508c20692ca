# ENVIRONMENT/REGION/NAME
terraform import inferadb_cluster.prod_nyc1 production/nyc1/prod-nyc1
