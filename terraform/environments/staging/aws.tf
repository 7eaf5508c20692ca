# What the environment needs of AWS besides regions, clusters and backups: the keys that backups are written and certificates asked
# for with, stores of the observability stack, the way in from the tailnet, and a budget. The DNS zone and the bucket for the
# state are there before it: terraform/account.

provider "aws" {
  # Where a module names no region: everything else of the environment says its own.
  region              = "us-east-1"
  allowed_account_ids = var.allowed_account_ids

  default_tags {
    tags = {
      project                    = "inferadb"
      "inferadb.com/environment" = local.environment # what the budget goes by
    }
  }
}

module "backup_credentials" {
  source   = "../../modules/fdb-backup-credentials"
  for_each = var.backup == null ? {} : local.regions

  environment     = local.environment
  region          = each.key
  provider_region = each.value.provider_region
  bucket          = module.stack[each.key].backup_bucket
  host            = module.stack[each.key].backup_host

  recovery_window_in_days = var.secrets_recovery_days
}

module "certificate_credentials" {
  source   = "../../modules/certificate-credentials"
  for_each = local.regions

  environment     = local.environment
  region          = each.key
  provider_region = each.value.provider_region
  zone            = var.dns_zone

  recovery_window_in_days = var.secrets_recovery_days
}

module "observability" {
  source   = "../../modules/observability-storage"
  for_each = local.regions

  environment     = local.environment
  region          = each.key
  provider_region = each.value.provider_region
  bucket_prefix   = var.bucket_prefix
  force_destroy   = var.regions[each.key].force_destroy

  recovery_window_in_days = var.secrets_recovery_days

  stores = {
    loki   = { retention_days = tonumber(var.settings.LOGS_RETENTION_DAYS) }
    tempo  = { retention_days = tonumber(var.settings.TRACES_RETENTION_DAYS) }
    thanos = { retention_days = tonumber(var.settings.METRICS_RETENTION_DAYS) }
  }
}

# Two in each region, in zones of their own: the way in outlives one of them. Pods and services are behind Cilium's tunnel,
# where the network's routes do not lead: these are the way to the nodes alone.
module "tailscale" {
  source   = "../../modules/tailscale-subnet-router"
  for_each = var.tailscale == null ? {} : local.regions

  name               = "${local.environment}-${each.key}"
  provider_region    = each.value.provider_region
  network_id         = module.stack[each.key].network_id
  subnet_ids         = { for zone in slice(each.value.zones, 0, 2) : zone => module.stack[each.key].subnet_ids[zone] }
  routes             = [var.regions[each.key].cidr_block]
  auth_key_parameter = var.tailscale.auth_key_parameter
}

module "cost_alerts" {
  source = "../../modules/cost-alerts"

  environment   = local.environment
  monthly_limit = var.costs.monthly_limit
  emails        = var.costs.emails
  urgent_emails = var.costs.urgent_emails
  activate_tag  = false # terraform/account does, once for all environments
}
