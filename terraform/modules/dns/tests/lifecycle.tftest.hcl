# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  zone           = "staging.inferadb.com"
  parent         = { zone_id = "Z0123456789" }
  incident_email = "security@inferadb.com"
  records        = { docs = { name = "docs", type = "CNAME", values = ["pages.example.com"] } }
}

run "made" {
  assert {
    condition     = aws_route53_record.caa[0].records == toset(["0 issue \"letsencrypt.org\"", "0 iodef \"mailto:security@inferadb.com\""])
    error_message = "Nobody but Let's Encrypt may issue: ${jsonencode(aws_route53_record.caa[0].records)}"
  }
  assert {
    condition     = aws_route53_record.delegation[0].zone_id == "Z0123456789" && aws_route53_record.this["docs"].name == "docs.staging.inferadb.com"
    error_message = "The parent delegates, and names are inside the zone."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.zone_id != ""
    error_message = "A second apply would make nothing again."
  }
}
