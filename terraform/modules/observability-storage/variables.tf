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

variable "stores" {
  description = "Stores that get a bucket: what of them is kept for how many days."
  type = map(object({
    retention_days = number
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
}

variable "force_destroy" {
  description = "Lets a destroy delete logs, traces and metrics with their buckets."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags on everything, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
