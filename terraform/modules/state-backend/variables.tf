variable "bucket" {
  description = "Name of the bucket. It has to be unique among all accounts of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "region" {
  description = "AWS' own name of the region that the bucket is in, for `backend`: the provider's."
  type        = string
}

variable "noncurrent_days" {
  description = "Days that an overwritten state is kept."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_days >= 7 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "Give a whole number of days, from 7: somebody has to notice a lost state before it is gone."
  }
}

variable "tags" {
  description = "Tags on everything, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
