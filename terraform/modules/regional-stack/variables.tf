################################################################################
# Where
################################################################################

variable "environment" {
  description = "Environment, the same as the provider's `environment`: it goes into the bucket's name and into `runtime_info`."
  type        = string
}

variable "region" {
  description = "What the region is: the output `region` of a folder of `terraform/regions`. `backup_replica_region` is where backups are copied to, `null` for nowhere."
  type = object({
    name                  = string
    provider_type         = string
    provider_region       = string
    zones                 = list(string)
    backup_replica_region = optional(string)
  })
}

variable "cluster_name" {
  description = "Name of the cluster, such as `prod-nyc1`."
  type        = string
}

variable "cidr_block" {
  description = "Address range of the network, from a /16 to a /23, that meets no other region's."
  type        = string
}

variable "dns" {
  description = "The name that clients reach the region by, as the module `region` takes it."
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
}

variable "ingress_allowed_cidrs" {
  description = "IPv4 ranges that may reach ports 80 and 443 of the ingress load balancer. Everybody unless given."
  type        = list(string)
  default     = null
}

variable "ports" {
  description = "Ports of the host by the ingress load balancer's own, `80` and `443`, where the cloud publishes them on a host (Docker). The provider's choice unless given; not for other clouds."
  type        = map(number)
  default     = null
}

variable "kubernetes_api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Kubernetes API (port 6443). Everybody unless given."
  type        = list(string)
  default     = null
}

variable "talos_api_allowed_cidrs" {
  description = "IPv4 ranges that may reach the Talos API (port 50000), among them where Terraform runs. Everybody unless given."
  type        = list(string)
  default     = null
}

################################################################################
# Nodes
################################################################################

variable "control_plane" {
  description = "Control-plane nodes."
  type = object({
    count        = optional(number, 3)
    machine_type = optional(string, "medium")
    disk_size    = optional(number)
  })
  default = {}
}

variable "general" {
  description = "Worker nodes for everything but databases."
  type = object({
    count        = number
    machine_type = optional(string, "medium")
    disk_size    = optional(number)
  })
}

variable "database" {
  description = "Worker nodes for FoundationDB alone, spread over the region's zones. `null` for none: it then runs among the rest."
  type = object({
    count        = number
    machine_type = optional(string, "large")
    disk_size    = optional(number)
  })
  default = null

  validation {
    condition     = var.database == null || try(var.database.count >= lookup(local.database_nodes_needed, var.fdb_redundancy_mode, 0), true)
    error_message = "FoundationDB's coordinators need machines of their own: 1 in mode `single`, 3 in `double`, 5 in `triple`, 9 in `three_data_hall`."
  }

  validation {
    condition     = var.fdb_redundancy_mode != "three_data_hall" || try(var.database.count % 3 == 0, false)
    error_message = "In mode `three_data_hall` each of three zones is a hall of the same size: the pool `database` must have a multiple of three nodes, from nine."
  }
}

variable "fdb_redundancy_mode" {
  description = "How FoundationDB keeps copies: `single`, `double`, `triple` or `three_data_hall`."
  type        = string

  validation {
    condition     = contains(["single", "double", "triple", "three_data_hall"], var.fdb_redundancy_mode)
    error_message = "FoundationDB's mode must be `single`, `double`, `triple` or `three_data_hall`."
  }

  validation {
    condition     = var.fdb_redundancy_mode != "three_data_hall" || length(var.region.zones) == 3
    error_message = "`three_data_hall` needs three zones to have a copy in each: choose a region with three, or the mode `triple`, which outlives two machines but not a zone."
  }
}

################################################################################
# Talos
################################################################################

variable "talos_version" {
  description = "Talos version. The module `talos-cluster`'s unless given."
  type        = string
  default     = "v1.13.9"
}

variable "kubernetes_version" {
  description = "Kubernetes version. The module `talos-cluster`'s unless given."
  type        = string
  default     = "1.35.4"
}

variable "image" {
  description = "Image to boot from instead of the official Talos image of `talos_version`: on AWS an AMI id, on Docker an image's name."
  type        = string
  default     = null
}

variable "config_patches" {
  description = "Talos machine config patches for every node, as YAML texts."
  type        = list(string)
  default     = []
}

variable "control_plane_patches" {
  description = "Talos machine config patches for control-plane nodes, after those for every node."
  type        = list(string)
  default     = []
}

################################################################################
# Backup
################################################################################

variable "backup" {
  description = "The store that FoundationDB backs up to; `null` for none. The bucket is called `inferadb-ENVIRONMENT-REGION-fdb-backup` unless `name` is given."
  type = object({
    name            = optional(string)
    noncurrent_days = optional(number, 7)
  })
  default = {}
}

################################################################################
# All of it
################################################################################

variable "runtime_info" {
  description = "Further entries of the output `runtime_info`: what the GitOps tree is to know of this cluster besides what Terraform makes. Keys are names of variables in capital letters."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.runtime_info) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Flux substitutes `$${NAME}`: a key must be capital letters, digits and underscores, such as `ENGINE_REPLICAS`."
  }
}

variable "credentials_in_state" {
  description = "Whether `kubeconfig` and `talosconfig` are kept in the state. With `false` both are null."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuses to destroy or replace cluster and backup store while `true`. Turn it off in an apply of its own first."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags on everything, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
