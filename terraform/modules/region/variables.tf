################################################################################
# Which region
################################################################################

variable "name" {
  description = "Name of the region, such as `nyc1`. Known names choose the cloud's region too, unless `provider_region` does."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$", var.name))
    error_message = "A region's name goes into the names of cloud objects: 1 to 24 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as `nyc1`."
  }
}

variable "provider_type" {
  description = "The cloud that the region stands in."
  type        = string
  default     = "aws"
}

variable "provider_region" {
  description = "The cloud's own name of its region, such as `us-east-1`. The one that `name` stands for unless given."
  type        = string
  default     = null
}

################################################################################
# Network
################################################################################

variable "cidr_block" {
  description = "Address range of the network, from a /16 to a /23. Regions that are joined later, as Tailscale does, need ranges that do not meet."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr_block)) && try(tonumber(split("/", var.cidr_block)[1]) >= 16 && tonumber(split("/", var.cidr_block)[1]) <= 23, false)
    error_message = "The range must be an IPv4 range from a /16, the largest network that clouds take, to a /23, which leaves each zone its subnet: for example `10.10.0.0/16`."
  }
}

variable "zones" {
  description = "Zones to have a subnet in, by the cloud's names. The first three that the cloud offers unless given."
  type        = list(string)
  default     = null

  validation {
    condition     = var.zones == null || try(length(var.zones) >= 1 && length(var.zones) <= 8 && length(distinct(var.zones)) == length(var.zones), false)
    error_message = "Give 1 to 8 zones, each once, or leave `zones` out."
  }
}

variable "ingress_allowed_cidrs" {
  description = "IPv4 ranges that may reach ports 80 and 443 of the ingress load balancer. Everybody unless given."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for range in coalesce(var.ingress_allowed_cidrs, []) : can(cidrnetmask(range))])
    error_message = "Each entry must be an IPv4 range, such as `203.0.113.0/24`; a single address is a /32."
  }
}

variable "ports" {
  description = "Ports of the host by the ingress load balancer's own, `80` and `443`, where the cloud publishes them on a host (Docker). The provider's choice unless given; not for other clouds."
  type        = map(number)
  default     = null

  validation {
    condition     = alltrue([for port, host in coalesce(var.ports, {}) : contains(["80", "443"], port) && host >= 1 && host <= 65535 && floor(host) == host])
    error_message = "The ingress has the ports `80` and `443`, and a host's ports go from 1 to 65535: for example `{ \"80\" = 8080, \"443\" = 8443 }`."
  }
}

################################################################################
# DNS
################################################################################

variable "dns" {
  description = "A DNS record that follows the ingress load balancer. `zone` has to exist in the account. `failover` is `PRIMARY` or `SECONDARY` for two regions that share a record; without a `health_check` the primary is answered whatever its state."
  type = object({
    zone     = string
    record   = optional(string, "")
    failover = optional(string)
    health_check = optional(object({
      path              = optional(string, "/healthz")
      failure_threshold = optional(number, 3)
      request_interval  = optional(number, 10)
    }))
  })
  default = null

  validation {
    condition     = try(var.dns.failover, null) == null || contains(["PRIMARY", "SECONDARY"], try(coalesce(var.dns.failover, "PRIMARY"), "PRIMARY"))
    error_message = "`failover` must be `PRIMARY` or `SECONDARY`, or be left out for a record of the region's own."
  }

  validation {
    condition     = contains([10, 30], try(var.dns.health_check.request_interval, 10))
    error_message = "Route 53 checks every 10 or every 30 seconds: `request_interval` must be one of these."
  }

  validation {
    condition     = try(var.dns.failover, null) != "PRIMARY" || try(var.dns.health_check, null) != null
    error_message = "A `PRIMARY` without `health_check` would be answered while it is down, and the secondary never: add `health_check = {}` for the usual one."
  }
}

################################################################################
# All of it
################################################################################

variable "tags" {
  description = "Tags on everything that belongs to the region, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}

variable "timeouts" {
  description = "How long each operation may take, such as `45m`. The provider's own limits unless given."
  type = object({
    create = optional(string)
    read   = optional(string)
    update = optional(string)
    delete = optional(string)
  })
  default = null
}
