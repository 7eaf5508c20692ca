# ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME, or ENVIRONMENT/NAME where the name stands for one region of the cloud.
terraform import inferadb_region.nyc1 production/nyc1
