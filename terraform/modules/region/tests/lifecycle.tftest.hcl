# Made, found unchanged, changed in place, removed. Needs a cloud: `TF_VAR_cidr_block` says where there is room.

provider "inferadb" {
  environment = "test"
}

variables {
  name = "nyc1"
}

run "made" {
  assert {
    condition     = output.id == "test/aws/us-east-1/nyc1"
    error_message = "The id names environment, cloud, cloud region and name: ${output.id}"
  }
  assert {
    condition     = length(output.subnet_ids) == 3 && length(output.zones) == 3
    error_message = "Unless told, a region has a subnet in each of three zones: ${jsonencode(output.subnet_ids)}"
  }
  assert {
    condition     = output.ingress_address != "" && output.fqdn == null
    error_message = "Without dns there is an address and no name."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.network_id != "" && output.ingress_address != ""
    error_message = "A second apply would make nothing again."
  }
}

run "named" {
  variables {
    dns = { zone = "inferadb.com", record = "api", failover = "PRIMARY", health_check = {} }
  }
  assert {
    condition     = output.fqdn == "api.inferadb.com"
    error_message = "A name is added: ${jsonencode(output.fqdn)}"
  }
}
