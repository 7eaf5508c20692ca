# Every region that the environment can have; those of `var.regions` are made.

module "nyc1" {
  source = "../../regions/nyc1/aws"
}

module "sfo1" {
  source = "../../regions/sfo1/aws"
}

locals {
  known_regions = { for region in [module.nyc1.region, module.sfo1.region] : region.name => region }
  regions       = { for name in keys(var.regions) : name => local.known_regions[name] }
}
