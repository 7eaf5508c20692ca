# Staging with its second region, for the hours of a disaster recovery drill:
#   terraform apply -var-file=drill.tfvars     and, when the drill is over,     terraform apply
# The second region's buckets go with what the drill wrote into them.

regions = {
  nyc1 = { cidr_block = "10.30.0.0/16", pod_cidr = "10.130.0.0/16", service_cidr = "10.230.0.0/16", failover = "PRIMARY" }
  sfo1 = { cidr_block = "10.40.0.0/16", pod_cidr = "10.140.0.0/16", service_cidr = "10.240.0.0/16", failover = "SECONDARY", force_destroy = true }
}
