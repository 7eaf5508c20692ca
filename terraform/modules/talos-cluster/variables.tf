################################################################################
# Which cluster
################################################################################

variable "name" {
  description = "Name of the cluster, such as `prod-nyc1`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", var.name))
    error_message = "A cluster's name goes into the names of cloud objects: 1 to 32 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as `prod-nyc1`."
  }
}

variable "region_id" {
  description = "`id` of the region that the cluster stands in, as the module `region` puts it out."
  type        = string

  validation {
    condition     = length(split("/", var.region_id)) == 4
    error_message = "A region's id has four parts, `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`: pass the output `id` of the module `region`."
  }
}

variable "ingress" {
  description = "Whether this cluster's workers serve the region's ingress load balancer. At most one cluster of a region does."
  type        = bool
  default     = false
}

################################################################################
# Versions
################################################################################

variable "talos_version" {
  description = "Talos version. The config defaults of the version at creation stay for life; upgrades do not change them."
  type        = string
  default     = "v1.13.9"

  validation {
    condition     = can(regex("^v1\\.\\d+\\.\\d+(-[a-z0-9.]+)?$", var.talos_version))
    error_message = "A Talos version has the form `v1.13.9`."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version, one that the Talos version takes."
  type        = string
  default     = "1.35.4"

  validation {
    condition     = can(regex("^1\\.\\d+\\.\\d+(-[a-z0-9.]+)?$", var.kubernetes_version))
    error_message = "A Kubernetes version has the form `1.35.4`, without a `v`."
  }
}

variable "image" {
  description = "Cloud image to boot from instead of the official Talos image of `talos_version` (on AWS an AMI id)."
  type        = string
  default     = null
}

################################################################################
# Nodes
################################################################################

variable "control_plane" {
  description = "Control-plane nodes: 1, 3, 5 or 7, spread over the region's zones. `machine_type` is `small`, `medium`, `large` or the cloud's own; `config_patches` come after the cluster's."
  type = object({
    count          = optional(number, 3)
    machine_type   = optional(string, "medium")
    disk_size      = optional(number)
    disk_type      = optional(string)
    config_patches = optional(list(string))
  })
  default = {}

  validation {
    condition     = contains([1, 3, 5, 7], var.control_plane.count)
    error_message = "An even number of etcd members tolerates no more failures than one less does, and more than seven slow each other down: `count` must be 1, 3, 5 or 7."
  }
}

variable "general" {
  description = "Worker nodes for everything that asks for no other, labelled `inferadb.com/pool = general`; `null` for none. `zones` are the region's unless given, `config_patches` come after the cluster's."
  type = object({
    count          = number
    machine_type   = optional(string, "medium")
    disk_size      = optional(number)
    disk_type      = optional(string)
    zones          = optional(list(string))
    labels         = optional(map(string), {})
    annotations    = optional(map(string))
    taints         = optional(list(string))
    config_patches = optional(list(string))
  })
  default = { count = 3 }

  validation {
    condition     = var.general == null || try(var.general.count >= 0 && floor(var.general.count) == var.general.count, false)
    error_message = "A pool has a whole number of nodes, from 0."
  }

  validation {
    condition     = alltrue([for taint in try(coalesce(var.general.taints, []), []) : can(regex(":(NoSchedule|PreferNoSchedule|NoExecute)$", taint))])
    error_message = "A taint ends with its effect: `KEY=VALUE:NoSchedule`, `KEY=VALUE:PreferNoSchedule` or `KEY=VALUE:NoExecute`."
  }
}

variable "database" {
  description = "Worker nodes for databases alone, labelled `inferadb.com/pool = database` and tainted so that nothing else comes there; `null` for none."
  type = object({
    count          = number
    machine_type   = optional(string, "large")
    disk_size      = optional(number)
    disk_type      = optional(string)
    zones          = optional(list(string))
    labels         = optional(map(string), {})
    annotations    = optional(map(string))
    taints         = optional(list(string), ["dedicated=database:NoSchedule"])
    config_patches = optional(list(string))
  })
  default = null

  validation {
    condition     = var.database == null || try(var.database.count >= 0 && floor(var.database.count) == var.database.count, false)
    error_message = "A pool has a whole number of nodes, from 0."
  }

  validation {
    condition     = alltrue([for taint in try(coalesce(var.database.taints, []), []) : can(regex(":(NoSchedule|PreferNoSchedule|NoExecute)$", taint))])
    error_message = "A taint ends with its effect: `KEY=VALUE:NoSchedule`, `KEY=VALUE:PreferNoSchedule` or `KEY=VALUE:NoExecute`."
  }
}

variable "config_patches" {
  description = "Talos machine config patches for every node, in order, as YAML texts."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for patch in var.config_patches : !can(regex("^[^\\n]*\\.ya?ml$", patch))])
    error_message = "A patch is the text of a file, not its name: write `file(\"…\")`."
  }
}

################################################################################
# Network
################################################################################

variable "pod_cidr" {
  description = "Address range of pods."
  type        = string
  default     = "10.244.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.pod_cidr))
    error_message = "The range must be an IPv4 range, such as `10.244.0.0/16`."
  }
}

variable "service_cidr" {
  description = "Address range of services."
  type        = string
  default     = "10.96.0.0/12"

  validation {
    condition     = can(cidrnetmask(var.service_cidr))
    error_message = "The range must be an IPv4 range, such as `10.96.0.0/12`."
  }
}

variable "kubernetes_api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Kubernetes API (port 6443). Everybody unless given; the API itself admits nobody without a certificate or token."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for range in coalesce(var.kubernetes_api_allowed_cidrs, []) : can(cidrnetmask(range))])
    error_message = "Each entry must be an IPv4 range, such as `203.0.113.0/24`; a single address is a /32."
  }
}

variable "talos_api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Talos API (port 50000), among them where Terraform runs. Everybody unless given; the API admits nobody without a client certificate."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for range in coalesce(var.talos_api_allowed_cidrs, []) : can(cidrnetmask(range))])
    error_message = "Each entry must be an IPv4 range, such as `203.0.113.0/24`; a single address is a /32."
  }
}

variable "cert_sans" {
  description = "Further names and addresses of the Kubernetes and Talos APIs, for their certificates."
  type        = list(string)
  default     = null
}

################################################################################
# All of it
################################################################################

variable "credentials_in_state" {
  description = "Whether `kubeconfig` and `talosconfig` are kept in the state. With `false` both are null."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuses to destroy or replace the cluster while `true`. Turn it off in an apply of its own first."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags on everything that belongs to the cluster, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}

variable "timeouts" {
  description = "How long each operation may take, such as `90m`. The provider's own limits unless given."
  type = object({
    create = optional(string)
    read   = optional(string)
    update = optional(string)
    delete = optional(string)
  })
  default = null
}
