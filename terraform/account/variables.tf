variable "allowed_account_ids" {
  description = "The account that may be changed. With credentials of any other nothing is read or changed. Any account unless given."
  type        = list(string)
  default     = null
}

variable "provider_region" {
  description = "AWS' own name of the region that the states are in."
  type        = string
  default     = "us-east-1"
}

variable "state_bucket" {
  description = "Name of the bucket for states. It has to be unique among all accounts of AWS."
  type        = string
}

variable "zone" {
  description = "Domain whose names clients use; `staging.` in front of it is a zone of its own."
  type        = string
  default     = "inferadb.com"
}

variable "incident_email" {
  description = "Whom an authority tells of a certificate request that the zones forbid."
  type        = string
  default     = null
}

variable "activate_cost_tag" {
  description = "Whether to activate the tag `inferadb.com/environment` for cost allocation. AWS knows the tag some hours after the first thing bears it, so turn it on in a later apply; in an organization only its management account can."
  type        = bool
  default     = false
}
