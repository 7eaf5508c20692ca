variable "name" {
  description = "Name of the routers, such as `production-nyc1`: what they are called in AWS and in the tailnet."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", var.name))
    error_message = "The name becomes a host name: 1 to 32 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "provider_region" {
  description = "AWS' own name of the region that the network is in. The provider's unless given."
  type        = string
  default     = null

  validation {
    condition     = var.provider_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.provider_region))
    error_message = "A region of AWS has a name such as `us-east-1`."
  }
}

variable "network_id" {
  description = "Id of the VPC: the output `network_id` of the module `region`."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets that get a router, by a key of your choice such as the zone: the output `subnet_ids` of the module `region`, or two of it."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "A router needs a subnet to stand in: give at least one, and two for a way in that outlives a zone."
  }
}

variable "routes" {
  description = "Address ranges that the tailnet reaches through the routers: the region's network, and those of pods and services only where the network has routes to them (Cilium's tunnel has none)."
  type        = list(string)

  validation {
    condition     = length(var.routes) > 0 && alltrue([for route in var.routes : can(cidrnetmask(route))])
    error_message = "Give at least one IPv4 range, such as the region's `cidr_block`."
  }
}

variable "auth_key_parameter" {
  description = "Name of the SecureString parameter in AWS Systems Manager, in the routers' region, that holds the tailnet's auth key: reusable, tagged, pre-approved where the tailnet approves devices. Put it there by hand, so that it stands in no state."
  type        = string

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+)+$", var.auth_key_parameter)) && !startswith(var.auth_key_parameter, "/tskey-")
    error_message = "Give the parameter's name, such as `/inferadb/production/tailscale`, not the key itself."
  }
}

variable "advertised_tags" {
  description = "Tags of the routers in the tailnet's access rules."
  type        = list(string)
  default     = ["tag:subnet-router"]

  validation {
    condition     = alltrue([for tag in var.advertised_tags : can(regex("^tag:[a-z][a-z0-9-]*$", tag))])
    error_message = "A tag of Tailscale has the form `tag:subnet-router`."
  }
}

variable "instance_type" {
  description = "Machine type of the routers, of `architecture`."
  type        = string
  default     = "t4g.micro"
}

variable "architecture" {
  description = "Processor of `instance_type`: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Amazon Linux comes for `arm64` and `x86_64`."
  }
}

variable "tags" {
  description = "Tags on everything, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
