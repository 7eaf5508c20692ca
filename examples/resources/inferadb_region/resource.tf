# All that outlives a cluster: network, firewall, ingress load balancer, DNS.
resource "inferadb_region" "nyc1" {
  name          = "nyc1" # us-east-1 on AWS
  provider_type = "aws"
  cidr_block    = "10.10.0.0/16"

  # The name that clients use, answered by this region while its ingress is healthy, else by the SECONDARY one.
  dns {
    zone     = "inferadb.com"
    record   = "api"
    failover = "PRIMARY"
    health_check {
      path              = "/healthz"
      failure_threshold = 3
      request_interval  = 10
    }
  }
}
