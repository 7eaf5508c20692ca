variable "name" {
  description = "Name of the region, such as `nyc1`."
  type        = string
  default     = null

  validation {
    condition     = var.name != null && can(regex("^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$", var.name))
    error_message = "`name` is not set, or not 1 to 24 lower-case letters, digits and hyphens: set its default in this folder's `variables.tf`, such as `\"nyc1\"`."
  }
}

variable "provider_region" {
  description = "AWS' own name of the region."
  type        = string
  default     = null

  validation {
    condition     = var.provider_region != null && can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.provider_region))
    error_message = "`provider_region` is not set, or no region of AWS: set its default in this folder's `variables.tf`, such as `\"us-east-1\"`."
  }
}

variable "zones" {
  description = "Three zones, since production's FoundationDB keeps a copy in each (ADR 0007)."
  type        = list(string)
  default     = null

  validation {
    condition     = try(length(distinct(var.zones)) == 3, false)
    error_message = "`zones` is not set, or not three zones: set its default in this folder's `variables.tf`; `aws ec2 describe-availability-zones --region REGION` lists those of your account."
  }
}

variable "backup_replica_region" {
  description = "AWS' own name of the region that backups are copied to: another one, so that they outlive this one."
  type        = string
  default     = null

  validation {
    condition     = var.backup_replica_region != null && can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.backup_replica_region))
    error_message = "`backup_replica_region` is not set, or no region of AWS: set its default in this folder's `variables.tf`, such as `\"us-west-2\"`."
  }
}
