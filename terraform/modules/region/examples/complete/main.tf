# Two regions that share one name: clients reach the first, and the second while the first is not healthy.

variable "cidr_blocks" {
  description = "Address range of each region's network."
  type        = map(string)
  default = {
    nyc1 = "10.10.0.0/16"
    sfo1 = "10.20.0.0/16"
  }
}

provider "inferadb" {
  environment = "example"
}

module "nyc1" {
  source = "../.."

  name       = "nyc1"
  cidr_block = var.cidr_blocks["nyc1"]

  dns = {
    zone         = "inferadb.com"
    record       = "api"
    failover     = "PRIMARY"
    health_check = {}
  }

  tags = { owner = "platform" }
}

module "sfo1" {
  source = "../.."

  name                  = "sfo1"
  provider_region       = "us-west-2" # three zones, where us-west-1 has two
  zones                 = ["us-west-2a", "us-west-2b"]
  cidr_block            = var.cidr_blocks["sfo1"]
  ingress_allowed_cidrs = ["203.0.113.0/24"]

  dns = {
    zone     = "inferadb.com"
    record   = "api"
    failover = "SECONDARY"
  }

  timeouts = { create = "20m" }
}

output "addresses" {
  description = "Where each region's ingress is."
  value = {
    nyc1 = module.nyc1.ingress_address
    sfo1 = module.sfo1.ingress_address
  }
}
