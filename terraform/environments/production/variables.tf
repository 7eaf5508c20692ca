variable "allowed_account_ids" {
  description = "Cloud accounts that may be used. With credentials of any other account nothing is read or changed. Any account unless given."
  type        = list(string)
  default     = null
}

variable "regions" {
  description = "Regions to make, by the names in `regions.tf`: address range, which no other region's may meet, and the half of the failover pair."
  type = map(object({
    cidr_block = string
    failover   = string
  }))

  validation {
    condition     = alltrue([for name in keys(var.regions) : contains(keys(local.known_regions), name)])
    error_message = "A region of `regions` is not known here: known are ${join(", ", keys(local.known_regions))}. `regions.tf` names them, and docs/adding-regions.md says how to add one."
  }

  validation {
    condition     = length(distinct([for region in values(var.regions) : region.cidr_block])) == length(var.regions)
    error_message = "Two regions have the same `cidr_block`: Tailscale joins their networks, so each needs its own."
  }

  validation {
    condition     = length([for region in values(var.regions) : region if region.failover == "PRIMARY"]) == 1 && length([for region in values(var.regions) : region if region.failover == "SECONDARY"]) <= 1
    error_message = "Route 53 takes one `PRIMARY` and at most one `SECONDARY` for a name. A third region needs a name of its own (docs/adding-regions.md)."
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

variable "api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Kubernetes and the Talos API, among them where Terraform runs. Everybody unless given: both APIs admit nobody without a certificate."
  type        = list(string)
  default     = null
}

variable "control_plane" {
  description = "Control-plane nodes of each region."
  type = object({
    count        = number
    machine_type = string
  })
}

variable "general" {
  description = "Worker nodes of each region for everything but FoundationDB."
  type = object({
    count        = number
    machine_type = string
  })
}

variable "database" {
  description = "Worker nodes of each region for FoundationDB alone."
  type = object({
    count        = number
    machine_type = string
  })
}

variable "fdb_redundancy_mode" {
  description = "How FoundationDB keeps copies."
  type        = string
}

variable "backup" {
  description = "The store that FoundationDB backs up to."
  type = object({
    noncurrent_days = number
  })
}

variable "talos_version" {
  description = "Talos version."
  type        = string
}

variable "kubernetes_version" {
  description = "Kubernetes version."
  type        = string
}

variable "runtime_info" {
  description = "What the GitOps tree is to know besides what Terraform makes: the ConfigMap `runtime-info` of each cluster."
  type        = map(string)
}

variable "deletion_protection" {
  description = "Refuses to destroy or replace clusters and backup stores while `true`."
  type        = bool
}
