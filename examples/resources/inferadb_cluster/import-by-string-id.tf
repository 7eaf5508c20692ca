import {
  to = inferadb_cluster.prod_nyc1
  id = "production/nyc1/prod-nyc1"
}
