# What cannot work is refused before any cloud is asked.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment = "test"
  region      = "nyc1"
  zone        = "inferadb.com"
}

run "names_that_cannot_be" {
  command = plan
  variables {
    environment = "Test"
    region      = "nyc_1"
    zone        = "inferadb.com."
  }
  expect_failures = [var.environment, var.region, var.zone]
}

run "every_zone" {
  command = plan
  variables {
    zone            = "*"
    provider_region = "nyc1"
  }
  expect_failures = [var.zone, var.provider_region]
}

run "a_removed_secret_kept_for_less_than_aws_does" {
  command = plan
  variables {
    recovery_window_in_days = 3
  }
  expect_failures = [var.recovery_window_in_days]
}
