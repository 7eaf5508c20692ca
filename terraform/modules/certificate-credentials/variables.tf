variable "environment" {
  description = "Environment: it goes into every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$", var.environment))
    error_message = "The environment goes into names: 1 to 24 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "region" {
  description = "InferaDB's name of the region, such as `nyc1`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$", var.region))
    error_message = "The region goes into names: 1 to 16 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "provider_region" {
  description = "AWS' own name of the region that the secret is in. The provider's unless given."
  type        = string
  default     = null

  validation {
    condition     = var.provider_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.provider_region))
    error_message = "A region of AWS has a name such as `us-east-1`."
  }
}

variable "zone" {
  description = "Domain of the zone that certificates are for, such as `inferadb.com`."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.zone))
    error_message = "Give the domain in lower case without a dot at its end, such as `inferadb.com`."
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

variable "tags" {
  description = "Tags on everything, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
