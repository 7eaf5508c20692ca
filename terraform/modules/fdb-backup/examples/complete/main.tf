# A backup store with a copy on the other coast, protected from a slip of the hand.

variable "cidr_block" {
  description = "Address range of the region's network."
  type        = string
  default     = "10.10.0.0/16"
}

variable "deletion_protection" {
  description = "Apply `false` before a destroy."
  type        = bool
  default     = true
}

provider "inferadb" {
  environment = "example"
}

module "region" {
  source = "../../../region"

  name       = "nyc1"
  cidr_block = var.cidr_block
}

module "backup" {
  source = "../.."

  name                = "inferadb-example-nyc1-fdb-backup"
  region_id           = module.region.id
  noncurrent_days     = 14
  deletion_protection = var.deletion_protection

  replica = {
    provider_region = "us-west-2"
  }

  tags = { owner = "platform" }
}

output "url" {
  description = "What `fdbbackup start -d` takes."
  value       = module.backup.url
}
