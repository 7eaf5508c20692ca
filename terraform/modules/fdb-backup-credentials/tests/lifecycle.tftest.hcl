# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment = "test"
  region      = "nyc1"
  bucket      = "inferadb-test-nyc1-fdb-backup"
  host        = "s3.us-east-1.amazonaws.com"
}

run "made" {
  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_user_policy.this.policy).Statement : startswith(statement.Resource, "arn:aws:s3:::inferadb-test-nyc1-fdb-backup")])
    error_message = "The key opens its own bucket alone."
  }
  assert {
    condition     = keys(jsondecode(jsondecode(aws_secretsmanager_secret_version.this.secret_string)["blob_credentials.json"]).accounts) == ["@s3.us-east-1.amazonaws.com"]
    error_message = "FoundationDB looks for the account by its host."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.secret == "inferadb/test/nyc1/fdb-backup" && aws_iam_access_key.this.id != ""
    error_message = "A second apply would make nothing again."
  }
}
