variable "allowed_account_ids" {
  description = "Cloud accounts that may be used. With credentials of any other account nothing is read or changed. Any account unless given."
  type        = list(string)
  default     = null
}

variable "regions" {
  description = "Regions to make, by the names in `regions.tf`: address ranges of the network, of pods and of services, none of which may meet another of any region, and the half of the failover pair. `force_destroy` lets the region go with the backups, logs, traces and metrics in its buckets: it has to be applied before the region is taken away."
  type = map(object({
    cidr_block    = string
    pod_cidr      = string
    service_cidr  = string
    failover      = optional(string)
    force_destroy = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for name in keys(var.regions) : contains(keys(local.known_regions), name)])
    error_message = "A region of `regions` is not known here: known are ${join(", ", keys(local.known_regions))}. `regions.tf` names them, and docs/adding-regions.md says how to add one."
  }

  # Two ranges meet where the larger holds the smaller: cut both to the shorter prefix.
  validation {
    condition = alltrue([
      for pair in setproduct(
        flatten([for name, region in var.regions : [for kind, range in { cidr_block = region.cidr_block, pod_cidr = region.pod_cidr, service_cidr = region.service_cidr } : "${name} ${kind} ${range}"]]),
        flatten([for name, region in var.regions : [for kind, range in { cidr_block = region.cidr_block, pod_cidr = region.pod_cidr, service_cidr = region.service_cidr } : "${name} ${kind} ${range}"]]),
      ) :
      pair[0] == pair[1] || try(
        cidrhost("${split("/", split(" ", pair[0])[2])[0]}/${min(split("/", pair[0])[1], split("/", pair[1])[1])}", 0) != cidrhost("${split("/", split(" ", pair[1])[2])[0]}/${min(split("/", pair[0])[1], split("/", pair[1])[1])}", 0),
        true,
      )
    ])
    error_message = "Two address ranges of `regions` meet: Tailscale joins networks, pods and services of all regions, so each needs a range of its own. docs/adding-regions.md lists those that are taken."
  }

  validation {
    condition = (
      alltrue([for region in values(var.regions) : region.failover == null || try(contains(["PRIMARY", "SECONDARY"], region.failover), false)]) &&
      length([for region in values(var.regions) : region if region.failover == null]) <= (length(var.regions) == 1 ? 1 : 0) &&
      length([for region in values(var.regions) : region if region.failover == "PRIMARY"]) <= 1 &&
      length([for region in values(var.regions) : region if region.failover == "SECONDARY"]) <= (length([for region in values(var.regions) : region if region.failover == "PRIMARY"]))
    )
    error_message = "Route 53 takes one `PRIMARY` and at most one `SECONDARY` for a name; a region that is alone may leave `failover` out. A third region needs a name of its own (docs/adding-regions.md)."
  }
}

variable "dns_zone" {
  description = "Domain of a public zone of the account."
  type        = string
}

variable "dns_record" {
  description = "Name in the zone that clients use."
  type        = string
}

variable "kubernetes_api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Kubernetes API, among them where Terraform runs. There is no default: `[\"0.0.0.0/0\"]` is everybody, whom the API asks for a certificate."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.kubernetes_api_allowed_cidrs) > 0 && alltrue([for range in var.kubernetes_api_allowed_cidrs : can(cidrnetmask(range))])
    error_message = "Give at least one IPv4 range, such as `203.0.113.0/24`; a single address is a /32. Terraform itself has to reach the API."
  }
}

variable "talos_api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Talos API, among them where Terraform runs. There is no default: `[\"0.0.0.0/0\"]` is everybody, whom the API asks for a certificate."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.talos_api_allowed_cidrs) > 0 && alltrue([for range in var.talos_api_allowed_cidrs : can(cidrnetmask(range))])
    error_message = "Give at least one IPv4 range, such as `203.0.113.0/24`; a single address is a /32. Terraform itself has to reach the API."
  }
}

variable "control_plane" {
  description = "Control-plane nodes of each region."
  type = object({
    count        = number
    machine_type = string
    disk_size    = optional(number)
  })
}

variable "worker_pools" {
  description = "Pools of worker nodes of each region: `general` for everything but FoundationDB, `database` for FoundationDB alone, and others of your own. A pool that comes later gets a higher `order`."
  type = map(object({
    count        = number
    machine_type = string
    disk_size    = optional(number)
    labels       = optional(map(string), {})
    taints       = optional(list(string))
    order        = optional(number, 0)
  }))
}

variable "fdb_redundancy_mode" {
  description = "How FoundationDB keeps copies."
  type        = string
}

variable "backup" {
  description = "The store that FoundationDB backs up to."
  type = object({
    noncurrent_days    = number
    archive_after_days = optional(number)
    retention_days     = optional(number)
    replicate          = optional(bool, true)
    force_destroy      = optional(bool, false)
  })
}

variable "bucket_prefix" {
  description = "What the names of buckets begin with: one of your own where somebody else has taken the first."
  type        = string
  default     = "inferadb"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$", var.bucket_prefix))
    error_message = "Environment, region and store follow it: 1 to 16 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "secrets_recovery_days" {
  description = "Days that a removed secret can be brought back, in which no other can have its name: 7 to 30, or 0 for none."
  type        = number
}

variable "talos_version" {
  description = "Talos version."
  type        = string
}

variable "kubernetes_version" {
  description = "Kubernetes version."
  type        = string
}

variable "settings" {
  description = "What the environment decides of what runs in its clusters: the part of the output `cluster_settings` that does not follow from what Terraform makes."
  type        = map(string)
}

variable "deletion_protection" {
  description = "Refuses to destroy or replace clusters and backup stores while `true`."
  type        = bool
}

variable "tailscale" {
  description = "Subnet routers of each region. `auth_key_parameter` names the SecureString parameter in AWS Systems Manager that holds the tailnet's auth key, put into each region by hand. A region's nodes take the Talos API from its routers. `null` for none."
  type = object({
    auth_key_parameter = string
  })
  default = null

  validation {
    condition     = (var.tailscale != null) == (lookup(var.settings, "TAILSCALE", "false") == "true")
    error_message = "`settings.TAILSCALE` and `tailscale` say different things: `\"true\"` with routers, `\"false\"` without."
  }
}

variable "costs" {
  description = "What the environment may cost a month, in US dollars, and who is told when it will, and when it does. docs/cost-estimation.md says what to expect."
  type = object({
    monthly_limit = number
    emails        = list(string)
    urgent_emails = optional(list(string), [])
  })
}
