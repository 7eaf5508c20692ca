# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment = "test"
  region      = "nyc1"
  zone        = "inferadb.com"
}

run "made" {
  assert {
    condition = alltrue([
      for name in one([for statement in jsondecode(aws_iam_user_policy.this.policy).Statement : statement if statement.Sid == "Challenges"]).Condition["ForAllValues:StringLike"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"] :
      startswith(name, "_acme-challenge.") && endswith(name, ".inferadb.com")
    ])
    error_message = "The key changes challenges in its own zone alone."
  }
  assert {
    condition     = keys(jsondecode(aws_secretsmanager_secret_version.this.secret_string)) == ["access-key-id", "secret-access-key"]
    error_message = "The entries are those that the issuers name."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.secret == "inferadb/test/nyc1/cert-manager" && aws_iam_access_key.this.id != ""
    error_message = "A second apply would make nothing again."
  }
}
