# ENVIRONMENT/NAME, for the regions whose names the provider knows; else ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME.
terraform import inferadb_region.nyc1 production/nyc1
