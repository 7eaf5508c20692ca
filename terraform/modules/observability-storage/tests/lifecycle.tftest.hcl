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

run "kept_apart_and_closed" {
  command = plan
  assert {
    condition     = alltrue([for store, rules in aws_s3_bucket_lifecycle_configuration.this : one(rules.rule).expiration[0].days > var.stores[store].retention_days])
    error_message = "No bucket deletes what its store still keeps."
  }
  assert {
    condition     = alltrue([for policy in values(aws_s3_bucket_policy.this) : jsondecode(policy.policy).Statement[0].Effect == "Deny"])
    error_message = "Nothing is read or written without TLS."
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

run "under_names_of_somebody_else_s" {
  variables {
    bucket_prefix           = "acme"
    recovery_window_in_days = 0
    force_destroy           = true
  }
  assert {
    condition     = output.buckets["loki"] == "acme-test-nyc1-loki" && alltrue([for bucket in values(aws_s3_bucket.this) : bucket.force_destroy])
    error_message = "Every bucket has the prefix, and goes with what is in it: ${jsonencode(output.buckets)}"
  }
  assert {
    condition     = alltrue([for secret in values(aws_secretsmanager_secret.this) : secret.recovery_window_in_days == 0])
    error_message = "A secret's name is free when it is gone."
  }
}
