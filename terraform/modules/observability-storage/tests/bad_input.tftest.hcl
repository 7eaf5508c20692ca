# What cannot work is refused before any cloud is asked.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment = "test"
  region      = "nyc1"
}

run "names_that_no_bucket_may_have" {
  command = plan
  variables {
    environment = "Test"
    region      = "nyc_1"
  }
  expect_failures = [var.environment, var.region]
}

run "a_prefix_that_no_bucket_may_have" {
  command = plan
  variables {
    bucket_prefix = "Acme_"
  }
  expect_failures = [var.bucket_prefix]
}

run "a_removed_secret_kept_for_less_than_aws_does" {
  command = plan
  variables {
    recovery_window_in_days = 3
  }
  expect_failures = [var.recovery_window_in_days]
}

run "a_store_that_nobody_runs" {
  command = plan
  variables {
    stores = { elasticsearch = { retention_days = 30 } }
  }
  expect_failures = [var.stores]
}

run "kept_for_no_time" {
  command = plan
  variables {
    stores = { loki = { retention_days = 0 } }
  }
  expect_failures = [var.stores]
}

run "deleted_before_the_store_does" {
  command = plan
  variables {
    stores = { loki = { retention_days = 30, margin_days = 0 } }
  }
  expect_failures = [var.stores]
}

run "a_key_s_alias_and_a_region_of_ours" {
  command = plan
  variables {
    kms_key_arn     = "alias/logs"
    provider_region = "nyc1"
  }
  expect_failures = [var.kms_key_arn, var.provider_region]
}
