################################################################################
# Which backup store
################################################################################

variable "name" {
  description = "Name of the bucket, which has to be unique among all accounts of the cloud. `PREFIX-ENVIRONMENT-REGION-fdb-backup` unless given, with `bucket_prefix` in front."
  type        = string
  default     = null

  validation {
    condition     = var.name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends. Dots are refused, since the cloud's TLS certificate does not cover them."
  }
}

variable "bucket_prefix" {
  description = "What the bucket's name begins with where `name` is not given: one of your own where somebody else has taken the first."
  type        = string
  default     = "inferadb"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$", var.bucket_prefix))
    error_message = "Environment, region and `-fdb-backup` follow it: 1 to 16 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "region_id" {
  description = "`id` of the region that the bucket belongs to, as the module `region` puts it out."
  type        = string

  validation {
    condition     = length(split("/", var.region_id)) == 4
    error_message = "A region's id has four parts, `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`: pass the output `id` of the module `region`."
  }
}

################################################################################
# How long data stays
################################################################################

variable "noncurrent_days" {
  description = "Days that a replaced or deleted version of an object is kept."
  type        = number
  default     = 7

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 3650 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "Give a whole number of days, 1 to 3650."
  }
}

variable "abort_incomplete_days" {
  description = "Days after which an unfinished upload is dropped."
  type        = number
  default     = 7

  validation {
    condition     = var.abort_incomplete_days >= 1 && var.abort_incomplete_days <= 3650 && floor(var.abort_incomplete_days) == var.abort_incomplete_days
    error_message = "Give a whole number of days, 1 to 3650."
  }
}

variable "archive_after_days" {
  description = "Days after which an object moves to the archive class that still answers at once (on AWS `GLACIER_IR`, which bills at least 90 days). Never unless given."
  type        = number
  default     = null

  validation {
    condition     = var.archive_after_days == null || try(var.archive_after_days >= 1 && var.archive_after_days <= 3650 && floor(var.archive_after_days) == var.archive_after_days, false)
    error_message = "Give a whole number of days, 1 to 3650, or leave `archive_after_days` out."
  }
}

variable "retention_days" {
  description = "Days after which an object is deleted. Never unless given, and better not: it also deletes files that a continuous backup still needs, while `fdbbackup expire` knows which those are."
  type        = number
  default     = null

  validation {
    condition     = var.retention_days == null || try(var.retention_days >= 1 && var.retention_days <= 3650 && floor(var.retention_days) == var.retention_days, false)
    error_message = "Give a whole number of days, 1 to 3650, or leave `retention_days` out."
  }

  validation {
    condition     = var.retention_days == null || var.archive_after_days == null || try(var.retention_days > var.archive_after_days, true)
    error_message = "Objects would be deleted before they are archived: `retention_days` must be more than `archive_after_days`, or one of the two be left out."
  }
}

variable "replica" {
  description = "A copy in a second region of the cloud, for the day that the first one is lost. `provider_region` is the cloud's own name or one of ours; the second bucket is called `NAME-replica` unless `name` is given."
  type = object({
    provider_region = string
    name            = optional(string)
  })
  default = null

  validation {
    condition     = var.replica == null || try(!contains(slice(split("/", var.region_id), 2, 4), var.replica.provider_region), true)
    error_message = "The copy would stand in the region itself and be lost with it: `replica.provider_region` must be another one."
  }

  validation {
    condition     = try(var.replica.name, null) == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.replica.name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }

  validation {
    condition     = try(var.replica.name, null) == null || try(var.replica.name, null) != var.name
    error_message = "Two buckets cannot have one name, in whatever region: give `replica` another one, or none for `NAME-replica`."
  }
}

################################################################################
# All of it
################################################################################

variable "deletion_protection" {
  description = "Refuses to destroy or replace the backup store while `true`. Turn it off in an apply of its own first."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Lets a destroy delete the objects in the bucket and its replica. It has to be applied before the destroy."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_destroy && var.deletion_protection)
    error_message = "`force_destroy` and `deletion_protection` contradict each other: backups that are protected are not to be deleted with their bucket."
  }
}

variable "tags" {
  description = "Tags on everything that belongs to the backup store, besides the provider's `default_tags`."
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
