locals {
  # ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME
  region = split("/", var.region_id)
}

resource "inferadb_fdb_backup" "this" {
  name      = coalesce(var.name, "${var.bucket_prefix}-${local.region[0]}-${local.region[3]}-fdb-backup")
  region_id = var.region_id

  noncurrent_days       = var.noncurrent_days
  abort_incomplete_days = var.abort_incomplete_days
  archive_after_days    = var.archive_after_days
  retention_days        = var.retention_days

  deletion_protection = var.deletion_protection
  force_destroy       = var.force_destroy
  tags                = var.tags

  dynamic "replica" {
    for_each = var.replica[*]

    content {
      provider_region = replica.value.provider_region
      name            = replica.value.name
    }
  }

  dynamic "timeouts" {
    for_each = var.timeouts[*]

    content {
      create = timeouts.value.create
      read   = timeouts.value.read
      update = timeouts.value.update
      delete = timeouts.value.delete
    }
  }
}
