################################################################################
# Where
################################################################################

variable "environment" {
  description = "Environment, the same as the provider's `environment`: it goes into the bucket's name and into `cluster_settings`."
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

variable "pod_cidr" {
  description = "Address range of pods, a /22 or larger. Clusters that are to be joined need ranges that do not meet, neither each other's nor any region's network."
  type        = string

  validation {
    condition     = try(cidrhost("${split("/", var.pod_cidr)[0]}/${min(split("/", var.pod_cidr)[1], split("/", var.cidr_block)[1])}", 0) != cidrhost("${split("/", var.cidr_block)[0]}/${min(split("/", var.pod_cidr)[1], split("/", var.cidr_block)[1])}", 0), true)
    error_message = "`pod_cidr` meets the network's `cidr_block`: nodes could not be told from pods. Give two ranges apart, such as `10.110.0.0/16` and `10.10.0.0/16`."
  }
}

variable "service_cidr" {
  description = "Address range of services, from a /12 to a /24, apart from pods and networks."
  type        = string

  validation {
    condition     = try(cidrhost("${split("/", var.service_cidr)[0]}/${min(split("/", var.service_cidr)[1], split("/", var.cidr_block)[1])}", 0) != cidrhost("${split("/", var.cidr_block)[0]}/${min(split("/", var.service_cidr)[1], split("/", var.cidr_block)[1])}", 0), true)
    error_message = "`service_cidr` meets the network's `cidr_block`: nodes could not be told from services. Give two ranges apart, such as `10.210.0.0/16` and `10.10.0.0/16`."
  }
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
    disk_type    = optional(string)
    zones        = optional(list(string))
  })
  default = {}
}

variable "worker_pools" {
  description = "Pools of worker nodes by name, as the module `talos-cluster` takes them. `database` is for FoundationDB alone, spread over the region's zones; without it, FoundationDB runs among the rest."
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

  validation {
    condition     = !contains(keys(var.worker_pools), "database") || try(var.worker_pools.database.count >= lookup(local.database_nodes_needed, var.fdb_redundancy_mode, 0), true)
    error_message = "FoundationDB's coordinators need machines of their own: the pool `database` must have 1 in mode `single`, 3 in `double`, 5 in `triple`, 9 in `three_data_hall`."
  }

  validation {
    condition     = var.fdb_redundancy_mode != "three_data_hall" || try(var.worker_pools.database.count % 3 == 0, false)
    error_message = "In mode `three_data_hall` each of three zones is a hall of the same size: the pool `database` must have a multiple of three nodes, from nine."
  }

  validation {
    condition     = !contains(keys(var.worker_pools), "database") || contains(try(coalesce(var.worker_pools.database.taints, []), []), "dedicated=database:NoSchedule")
    error_message = "Other pods would come to FoundationDB's machines: the pool `database` must have the taint `dedicated=database:NoSchedule`, which FoundationDB's pods tolerate."
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
  description = "The store that FoundationDB backs up to, as the module `fdb-backup` takes it; `null` for none. The bucket is called `PREFIX-ENVIRONMENT-REGION-fdb-backup` unless `name` is given. It is copied to the region's `backup_replica_region` unless `replicate` is false."
  type = object({
    name                  = optional(string)
    bucket_prefix         = optional(string, "inferadb")
    noncurrent_days       = optional(number, 7)
    abort_incomplete_days = optional(number, 7)
    archive_after_days    = optional(number)
    retention_days        = optional(number)
    replicate             = optional(bool, true)
    replica_name          = optional(string)
    force_destroy         = optional(bool, false)
  })
  default = {}
}

################################################################################
# All of it
################################################################################

variable "settings" {
  description = "What the environment decides of what runs in the cluster: the entries of `cluster_settings` that do not follow from what Terraform makes. All of them, and no other."
  type        = map(string)

  validation {
    condition     = length(setsubtract(local.setting_names, keys(var.settings))) == 0
    error_message = "Every cluster is told the same things, and `settings` lacks ${join(", ", [for name in setsubtract(local.setting_names, keys(var.settings)) : "`${name}`"])}."
  }

  validation {
    condition     = length(setsubtract(keys(var.settings), local.setting_names)) == 0
    error_message = "`settings` has what no cluster is told, ${join(", ", [for name in setsubtract(keys(var.settings), local.setting_names) : "`${name}`"])}: a new name goes into `locals` of the module `regional-stack` and into docs/environment-parity.md first."
  }

  validation {
    condition = alltrue([
      for name in ["ENGINE", "CONTROL"] :
      try(tonumber(var.settings["${name}_REPLICAS_MIN"]) >= 1 && tonumber(var.settings["${name}_REPLICAS_MIN"]) <= tonumber(var.settings["${name}_REPLICAS_MAX"]), true)
    ])
    error_message = "An autoscaler goes from `…_REPLICAS_MIN`, at least 1, to `…_REPLICAS_MAX`, which must not be less."
  }

  validation {
    condition     = contains(["none", "daily", "continuous"], lookup(var.settings, "FDB_BACKUP_MODE", "none")) && (lookup(var.settings, "FDB_BACKUP_MODE", "none") == "none") == (var.backup == null)
    error_message = "`FDB_BACKUP_MODE` must be `none` without `backup`, and `daily` or `continuous` with it."
  }

  validation {
    condition     = var.backup == null || try(var.backup.retention_days == null || var.backup.retention_days > tonumber(var.settings["FDB_BACKUP_RETENTION_DAYS"]), true)
    error_message = "The bucket would delete what FoundationDB still keeps: `backup.retention_days` must be more than `FDB_BACKUP_RETENTION_DAYS`, or be left out."
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
