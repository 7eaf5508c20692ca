# What cannot work is refused before any cloud is asked.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment   = "production"
  monthly_limit = 2000
  emails        = ["platform-team@inferadb.com"]
}

run "no_money_at_all" {
  command = plan
  variables {
    monthly_limit = 0
  }
  expect_failures = [var.monthly_limit]
}

run "nobody_to_tell" {
  command = plan
  variables {
    emails = []
  }
  expect_failures = [var.emails]
}

run "more_people_than_aws_takes" {
  command = plan
  variables {
    urgent_emails = [for number in range(10) : "person-${number}@inferadb.com"]
  }
  expect_failures = [var.urgent_emails]
}

run "a_share_in_place_of_a_percentage" {
  command = plan
  variables {
    forecast_percent = 0
    actual_percent   = -1
  }
  expect_failures = [var.forecast_percent, var.actual_percent]
}
