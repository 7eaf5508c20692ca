resource "inferadb_region" "this" {
  name                  = var.name
  provider_type         = var.provider_type
  provider_region       = var.provider_region
  cidr_block            = var.cidr_block
  zones                 = var.zones
  ingress_allowed_cidrs = var.ingress_allowed_cidrs
  ports                 = var.ports
  tags                  = var.tags

  dynamic "dns" {
    for_each = var.dns[*]

    content {
      zone     = dns.value.zone
      record   = dns.value.record
      failover = dns.value.failover

      dynamic "health_check" {
        for_each = dns.value.health_check[*]

        content {
          path              = health_check.value.path
          failure_threshold = health_check.value.failure_threshold
          request_interval  = health_check.value.request_interval
        }
      }
    }
  }

  dynamic "timeouts" {
    for_each = var.timeouts[*]

    content {
      create = timeouts.value.create
      read   = timeouts.value.read
      update = timeouts.value.update
      delete = timeouts.value.delete
    }
  }
}
