variable "environment" {
  description = "Environment: it goes into every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$", var.environment))
    error_message = "The environment goes into the names of buckets: 1 to 24 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "region" {
  description = "InferaDB's name of the region, such as `nyc1`: each region keeps its own."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$", var.region))
    error_message = "The region goes into the names of buckets: 1 to 16 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "provider_region" {
  description = "AWS' own name of the region that the buckets and secrets are in. The provider's unless given."
  type        = string
  default     = null

  validation {
    condition     = var.provider_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.provider_region))
    error_message = "A region of AWS has a name such as `us-east-1`."
  }
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

variable "kms_key_arn" {
  description = "Key to encrypt the buckets with, which counts and bills each use. Amazon's own key for S3 unless given."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the key's ARN, `arn:aws:kms:REGION:ACCOUNT:key/ID`; an alias does not name one key for good."
  }
}

variable "stores" {
  description = "Stores that get a bucket: how many days of it the store keeps (`retention_days`, the same as in its own configuration), and how many days later the bucket deletes what the store has lost track of."
  type = map(object({
    retention_days = number
    margin_days    = optional(number, 14)
  }))
  default = {
    loki   = { retention_days = 30 }
    tempo  = { retention_days = 7 }
    thanos = { retention_days = 365 }
  }

  validation {
    condition     = alltrue([for store in keys(var.stores) : contains(["loki", "tempo", "thanos"], store)])
    error_message = "The stores of the observability stack are `loki`, `tempo` and `thanos`."
  }

  validation {
    condition     = alltrue([for store in values(var.stores) : store.retention_days >= 1 && floor(store.retention_days) == store.retention_days])
    error_message = "Give a whole number of days, from 1."
  }

  validation {
    condition     = alltrue([for store in values(var.stores) : store.margin_days >= 1 && floor(store.margin_days) == store.margin_days])
    error_message = "A bucket that deletes on the day that its store does is sometimes first: `margin_days` must be a whole number, from 1."
  }
}

variable "recovery_window_in_days" {
  description = "Days that a removed secret can be brought back, in which no other can have its name: 7 to 30, or 0 for none."
  type        = number
  default     = 7

  validation {
    condition     = var.recovery_window_in_days == 0 || (var.recovery_window_in_days >= 7 && var.recovery_window_in_days <= 30 && floor(var.recovery_window_in_days) == var.recovery_window_in_days)
    error_message = "AWS keeps a removed secret for 7 to 30 days, in whole ones, or with 0 not at all."
  }
}

variable "force_destroy" {
  description = "Lets a destroy delete logs, traces and metrics with their buckets. It has to be applied before the destroy."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags on everything, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
