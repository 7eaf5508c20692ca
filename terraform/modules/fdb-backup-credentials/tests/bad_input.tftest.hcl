# What cannot work is refused before any cloud is asked.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment = "test"
  region      = "nyc1"
  bucket      = "inferadb-test-nyc1-fdb-backup"
  host        = "s3.us-east-1.amazonaws.com"
}

run "names_that_cannot_be" {
  command = plan
  variables {
    environment = "Test"
    region      = "nyc_1"
    bucket      = "inferadb.backup"
  }
  expect_failures = [var.environment, var.region, var.bucket]
}

run "a_url_in_place_of_its_host" {
  command = plan
  variables {
    host            = "blobstore://@s3.us-east-1.amazonaws.com/test-nyc1"
    provider_region = "nyc1"
  }
  expect_failures = [var.host, var.provider_region]
}

run "a_removed_secret_kept_for_less_than_aws_does" {
  command = plan
  variables {
    recovery_window_in_days = 3
  }
  expect_failures = [var.recovery_window_in_days]
}
