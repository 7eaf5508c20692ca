# Made, found unchanged, changed in place, removed. Needs a cloud: `TF_VAR_cidr_block` says where there is room.

provider "inferadb" {
  environment = "test"
}

run "region" {
  module {
    source = "../region"
  }
  variables {
    name = "nyc1"
  }
}

run "made" {
  variables {
    region_id = run.region.id
  }
  assert {
    condition     = output.id == "test/nyc1/inferadb-test-nyc1-fdb-backup" && output.replica_bucket == null
    error_message = "The id names environment, region and bucket: ${output.id}"
  }
  assert {
    condition     = startswith(output.url, "blobstore://@${output.host}/") && strcontains(output.url, "bucket=${output.bucket}")
    error_message = "The URL is FoundationDB's: ${output.url}"
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  variables {
    region_id = run.region.id
  }
  assert {
    condition     = output.url != "" && output.bucket == "inferadb-test-nyc1-fdb-backup"
    error_message = "A second apply would make nothing again."
  }
}

run "copied" {
  variables {
    region_id          = run.region.id
    noncurrent_days    = 14
    archive_after_days = 30
    replica            = { provider_region = "us-west-2" }
  }
  assert {
    condition     = output.replica_bucket == "inferadb-test-nyc1-fdb-backup-replica"
    error_message = "A copy is added: ${jsonencode(output.replica_bucket)}"
  }
}
