# What cannot work is refused before any cloud is asked.

provider "aws" {
  region = "us-east-1"
}

variables {
  bucket = "inferadb-test-terraform-state"
  region = "us-east-1"
}

run "a_name_that_no_bucket_may_have" {
  command = plan
  variables {
    bucket = "inferadb.state"
  }
  expect_failures = [var.bucket]
}

run "lost_before_it_is_missed" {
  command = plan
  variables {
    noncurrent_days = 1
  }
  expect_failures = [var.noncurrent_days]
}
