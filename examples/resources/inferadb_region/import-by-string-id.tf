import {
  to = inferadb_region.nyc1
  id = "production/aws/us-east-1/nyc1"
}
