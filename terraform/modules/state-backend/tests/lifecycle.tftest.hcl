# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  bucket = "inferadb-test-terraform-state"
  region = "us-east-1"
}

run "made" {
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Effect == "Deny"
    error_message = "Without TLS nobody gets in: ${aws_s3_bucket_policy.this.policy}"
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Overwritten states are kept."
  }
  assert {
    condition     = strcontains(output.backend, "bucket       = \"inferadb-test-terraform-state\"") && strcontains(output.backend, "use_lockfile = true")
    error_message = "The snippet names the bucket and locks: ${output.backend}"
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.kms_key_arn != ""
    error_message = "A second apply would make nothing again."
  }
}
