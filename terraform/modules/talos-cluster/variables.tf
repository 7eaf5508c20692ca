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
    zones          = optional(list(string))
    config_patches = optional(list(string))
  })
  default = {}

  validation {
    condition     = contains([1, 3, 5, 7], var.control_plane.count)
    error_message = "An even number of etcd members tolerates no more failures than one less does, and more than seven slow each other down: `count` must be 1, 3, 5 or 7."
  }
}

variable "worker_pools" {
  description = "Pools of worker nodes by name, labelled `inferadb.com/pool = NAME`. `zones` are the region's unless given, `config_patches` come after the cluster's. Pools go by `order`, then by name: give one that comes later a higher `order`, and the plan shows no other pool as moved."
  type = map(object({
    count          = number
    machine_type   = optional(string, "medium")
    disk_size      = optional(number)
    disk_type      = optional(string)
    zones          = optional(list(string))
    labels         = optional(map(string), {})
    annotations    = optional(map(string))
    taints         = optional(list(string))
    config_patches = optional(list(string))
    order          = optional(number, 0)
  }))
  default = {
    general = { count = 3 }
  }

  validation {
    condition     = alltrue([for name in keys(var.worker_pools) : can(regex("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", name))])
    error_message = "A pool's name goes into the names of its nodes: 1 to 32 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as `general`."
  }

  validation {
    condition     = alltrue([for pool in values(var.worker_pools) : pool.count >= 0 && pool.count <= 1000 && floor(pool.count) == pool.count])
    error_message = "A pool has a whole number of nodes, 0 to 1000."
  }

  validation {
    condition     = alltrue([for pool in values(var.worker_pools) : pool.order >= 0 && pool.order <= 1000 && floor(pool.order) == pool.order])
    error_message = "A pool's `order` is a whole number, 0 to 1000."
  }

  validation {
    condition     = alltrue([for pool in values(var.worker_pools) : pool.disk_size == null || try(pool.disk_size >= 10 && pool.disk_size <= 16384, false)])
    error_message = "A root disk has 10 to 16384 GiB: Talos and the images of its pods need ten."
  }

  validation {
    condition     = alltrue(flatten([for pool in values(var.worker_pools) : [for taint in coalesce(pool.taints, []) : can(regex("^[^:=]+(=[^:=]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$", taint))]]))
    error_message = "A taint is written `KEY=VALUE:EFFECT` or `KEY:EFFECT`, its effect `NoSchedule`, `PreferNoSchedule` or `NoExecute`."
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
    condition     = can(cidrnetmask(var.pod_cidr)) && try(tonumber(split("/", var.pod_cidr)[1]) <= 22, false)
    error_message = "The range must be an IPv4 range of a /22 or larger, since each node takes a /24 of it: for example `10.110.0.0/16`."
  }
}

variable "service_cidr" {
  description = "Address range of services."
  type        = string
  default     = "10.96.0.0/12"

  validation {
    condition     = can(cidrnetmask(var.service_cidr)) && try(tonumber(split("/", var.service_cidr)[1]) >= 12 && tonumber(split("/", var.service_cidr)[1]) <= 24, false)
    error_message = "The range must be an IPv4 range from a /12, the largest that Kubernetes takes, to a /24: for example `10.210.0.0/16`."
  }

  # Two ranges meet where the larger holds the smaller: cut both to the shorter prefix.
  validation {
    condition     = try(cidrhost("${split("/", var.pod_cidr)[0]}/${min(split("/", var.pod_cidr)[1], split("/", var.service_cidr)[1])}", 0) != cidrhost("${split("/", var.service_cidr)[0]}/${min(split("/", var.pod_cidr)[1], split("/", var.service_cidr)[1])}", 0), true)
    error_message = "`pod_cidr` and `service_cidr` meet: an address would be a pod's and a service's at once. Give two ranges apart, such as `10.110.0.0/16` and `10.210.0.0/16`."
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
