# What an AWS account has once, before any environment is applied: the bucket that states are kept in, the zones of the names
# that clients use, and the tag that costs are told apart by. Its own state is a file at first; backend.tf says how it moves.

provider "aws" {
  region              = var.provider_region
  allowed_account_ids = var.allowed_account_ids

  default_tags {
    tags = { project = "inferadb" }
  }
}

module "state_backend" {
  source = "../modules/state-backend"

  bucket = var.state_bucket
  region = var.provider_region
}

module "zone" {
  source = "../modules/dns"

  zone           = var.zone
  incident_email = var.incident_email
}

# A zone of its own: who may change staging's names cannot change production's.
module "staging_zone" {
  source = "../modules/dns"

  zone           = "staging.${var.zone}"
  parent         = { zone_id = module.zone.zone_id }
  incident_email = var.incident_email
}

# Budgets see a tag only from then on. In an organization, its management account alone can.
resource "aws_ce_cost_allocation_tag" "environment" {
  count = var.activate_cost_tag ? 1 : 0

  tag_key = "inferadb.com/environment"
  status  = "Active"
}
