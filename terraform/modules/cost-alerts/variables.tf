variable "environment" {
  description = "Environment whose costs are watched: the value of the tag `tag_key`."
  type        = string
}

variable "monthly_limit" {
  description = "What the environment may cost a month, in US dollars."
  type        = number

  validation {
    condition     = var.monthly_limit > 0
    error_message = "The limit must be more than nothing."
  }
}

variable "emails" {
  description = "Who is told when the month is forecast to come near the limit, and when it has been reached."
  type        = list(string)

  validation {
    condition     = length(var.emails) > 0 && length(var.emails) <= 10 && alltrue([for email in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "Give 1 to 10 e-mail addresses, which is what AWS Budgets takes."
  }
}

variable "urgent_emails" {
  description = "Who is told besides when the limit has been reached."
  type        = list(string)
  default     = []

  validation {
    condition     = length(distinct(concat(var.emails, var.urgent_emails))) <= 10 && alltrue([for email in var.urgent_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "`emails` and `urgent_emails` together must be at most 10 e-mail addresses, which is what AWS Budgets takes."
  }
}

variable "forecast_percent" {
  description = "Percent of the limit that the forecast has to exceed."
  type        = number
  default     = 80

  validation {
    condition     = var.forecast_percent > 0 && var.forecast_percent <= 1000
    error_message = "Give a percentage, more than 0 and at most 1000."
  }
}

variable "actual_percent" {
  description = "Percent of the limit that has to be exceeded."
  type        = number
  default     = 100

  validation {
    condition     = var.actual_percent > 0 && var.actual_percent <= 1000
    error_message = "Give a percentage, more than 0 and at most 1000."
  }
}

variable "tag_key" {
  description = "Tag that costs are told apart by. The provider `inferadb` sets this one on everything."
  type        = string
  default     = "inferadb.com/environment"
}

variable "activate_tag" {
  description = "Whether to activate the tag for cost allocation. Only the organization's management account can, and once is enough for all environments."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags on the budget, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
