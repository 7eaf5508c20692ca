variable "zone" {
  description = "Domain of the zone, such as `inferadb.com`."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.zone))
    error_message = "The zone must be a lower-case domain without final dot, such as `inferadb.com`."
  }
}

variable "parent" {
  description = "The hosted zone above this one, in the same account, which is to delegate to it. Without it, enter `name_servers` where the domain is registered."
  type = object({
    zone_id = string
  })
  default = null
}

variable "certificate_issuers" {
  description = "Authorities that may issue certificates for names of the zone. Everybody with an empty list."
  type        = list(string)
  default     = ["letsencrypt.org"]

  validation {
    condition     = alltrue([for issuer in var.certificate_issuers : can(regex("^[a-z0-9.-]+\\.[a-z]{2,}$", issuer))])
    error_message = "An issuer is the domain that it names itself by in CAA records, such as `letsencrypt.org`."
  }
}

variable "incident_email" {
  description = "Whom an authority tells of a request that the CAA record forbids."
  type        = string
  default     = null
}

variable "records" {
  description = "Further records, by a key of your choice. `name` is inside the zone, empty for the zone itself. Records that follow a region's ingress are made by `inferadb_region`, not here."
  type = map(object({
    name   = optional(string, "")
    type   = string
    ttl    = optional(number, 300)
    values = list(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for record in values(var.records) : contains(["A", "AAAA", "CNAME", "MX", "TXT", "SRV"], record.type)])
    error_message = "A record's type must be `A`, `AAAA`, `CNAME`, `MX`, `TXT` or `SRV`; `CAA` and `NS` are made by `certificate_issuers` and `parent`."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : record.type != "CNAME" || record.name != ""])
    error_message = "The zone itself cannot be a `CNAME`: give it a `name` inside the zone."
  }
}

variable "tags" {
  description = "Tags on the zone, besides the provider's `default_tags`."
  type        = map(string)
  default     = {}
}
