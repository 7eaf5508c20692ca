# The one region that there is on a laptop: the whole engine.

locals {
  known_regions = {
    local = {
      name            = "local"
      provider_type   = "docker"
      provider_region = "local"
      zones           = ["local"]
    }
  }
  regions = { for name in keys(var.regions) : name => local.known_regions[name] }
}
