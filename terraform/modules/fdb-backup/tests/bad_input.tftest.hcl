# What cannot work is refused before any cloud is asked.

provider "inferadb" {
  environment = "test"
}

variables {
  name      = "inferadb-test-fdb-backup"
  region_id = "test/aws/us-east-1/nyc1"
}

run "a_name_that_no_bucket_may_have" {
  command = plan
  variables {
    name = "inferadb.backup"
  }
  expect_failures = [var.name]
}

run "a_region_s_name_in_place_of_its_id" {
  command = plan
  variables {
    region_id = "nyc1"
  }
  expect_failures = [var.region_id]
}

run "no_time_at_all" {
  command = plan
  variables {
    noncurrent_days       = 0
    abort_incomplete_days = 0.5
  }
  expect_failures = [var.noncurrent_days, var.abort_incomplete_days]
}

run "deleted_before_archived" {
  command = plan
  variables {
    archive_after_days = 90
    retention_days     = 30
  }
  expect_failures = [var.retention_days]
}

run "protected_and_to_be_emptied" {
  command = plan
  variables {
    deletion_protection = true
    force_destroy       = true
  }
  expect_failures = [var.force_destroy]
}

run "a_prefix_that_leaves_no_room" {
  command = plan
  variables {
    bucket_prefix = "the-databases-of-our-company"
  }
  expect_failures = [var.bucket_prefix]
}

run "archived_and_deleted_after_no_time" {
  command = plan
  variables {
    archive_after_days = 0
  }
  expect_failures = [var.archive_after_days]
}

run "kept_for_longer_than_clouds_count" {
  command = plan
  variables {
    retention_days = 36500
  }
  expect_failures = [var.retention_days]
}

run "a_copy_beside_the_first" {
  command = plan
  variables {
    replica = { provider_region = "us-east-1" }
  }
  expect_failures = [var.replica]
}

run "a_copy_of_the_same_name" {
  command = plan
  variables {
    replica = { provider_region = "us-west-2", name = "inferadb-test-fdb-backup" }
  }
  expect_failures = [var.replica]
}
