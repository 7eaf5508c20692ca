# ENVIRONMENT/REGION/NAME, or ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/REGION/NAME where the region's name stands for no region of the cloud.
terraform import inferadb_cluster.prod_nyc1 production/nyc1/prod-nyc1
