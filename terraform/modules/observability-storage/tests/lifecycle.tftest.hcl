# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment = "test"
  region      = "nyc1"
}

run "made" {
  assert {
    condition     = output.buckets == { loki = "inferadb-test-nyc1-loki", tempo = "inferadb-test-nyc1-tempo", thanos = "inferadb-test-nyc1-thanos" }
    error_message = "A bucket each: ${jsonencode(output.buckets)}"
  }
  assert {
    condition     = alltrue([for store, policy in aws_iam_user_policy.this : alltrue([for statement in jsondecode(policy.policy).Statement : strcontains(statement.Resource, "-${store}")])])
    error_message = "Each key opens its own bucket alone."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.secrets["loki"] == "inferadb/test/nyc1/loki" && aws_iam_access_key.this["loki"].id != ""
    error_message = "A second apply would make nothing again."
  }
}
