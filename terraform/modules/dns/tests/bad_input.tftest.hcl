# What cannot work is refused before any cloud is asked.

provider "aws" {
  region = "us-east-1"
}

variables {
  zone = "inferadb.com"
}

run "a_zone_with_a_final_dot" {
  command = plan
  variables {
    zone = "inferadb.com."
  }
  expect_failures = [var.zone]
}

run "an_issuer_by_its_address" {
  command = plan
  variables {
    certificate_issuers = ["https://letsencrypt.org"]
  }
  expect_failures = [var.certificate_issuers]
}

run "a_record_that_another_setting_makes" {
  command = plan
  variables {
    records = { caa = { type = "CAA", values = ["0 issue \"letsencrypt.org\""] } }
  }
  expect_failures = [var.records]
}

run "a_zone_that_is_an_alias" {
  command = plan
  variables {
    records = { www = { type = "CNAME", values = ["example.com"] } }
  }
  expect_failures = [var.records]
}
