# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  name               = "test-nyc1"
  network_id         = "vpc-0123456789abcdef0"
  subnet_ids         = { us-east-1a = "subnet-0123456789abcdef0", us-east-1b = "subnet-0123456789abcdef1" }
  routes             = ["10.10.0.0/16", "10.244.0.0/16"]
  auth_key_parameter = "/inferadb/test/tailscale"
}

run "made" {
  assert {
    condition     = length(output.instance_ids) == 2
    error_message = "A router in each subnet: ${jsonencode(output.instance_ids)}"
  }
  assert {
    condition     = alltrue([for router in aws_instance.this : router.source_dest_check == false && router.metadata_options[0].http_tokens == "required"])
    error_message = "Routers forward, and their credentials need a session token."
  }
  assert {
    condition     = alltrue([for router in aws_instance.this : strcontains(router.user_data, "--advertise-routes='10.10.0.0/16,10.244.0.0/16'")])
    error_message = "Every route is advertised."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = alltrue([for id in values(output.instance_ids) : id != ""])
    error_message = "A second apply would make nothing again."
  }
}
