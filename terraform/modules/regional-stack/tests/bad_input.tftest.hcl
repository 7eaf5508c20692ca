# What cannot work is refused before any cloud is asked.

provider "inferadb" {
  environment = "test"
}

variables {
  environment  = "test"
  cluster_name = "test-nyc1"
  cidr_block   = "10.10.0.0/16"
  region = {
    name            = "nyc1"
    provider_type   = "aws"
    provider_region = "us-east-1"
    zones           = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
  general             = { count = 1 }
  database            = { count = 9 }
  fdb_redundancy_mode = "three_data_hall"
}

run "three_halls_in_two_zones" {
  command = plan
  variables {
    region = {
      name            = "sfo1"
      provider_type   = "aws"
      provider_region = "us-west-1"
      zones           = ["us-west-1a", "us-west-1b"]
    }
  }
  expect_failures = [var.fdb_redundancy_mode]
}

run "halls_of_different_sizes" {
  command = plan
  variables {
    database = { count = 10 }
  }
  expect_failures = [var.database]
}

run "halls_without_machines" {
  command = plan
  variables {
    database = null
  }
  expect_failures = [var.database]
}

run "fewer_machines_than_coordinators" {
  command = plan
  variables {
    database            = { count = 4 }
    fdb_redundancy_mode = "triple"
  }
  expect_failures = [var.database]
}

run "a_mode_that_foundationdb_does_not_have" {
  command = plan
  variables {
    fdb_redundancy_mode = "three_datacenters"
  }
  expect_failures = [var.fdb_redundancy_mode]
}

run "a_key_that_flux_does_not_substitute" {
  command = plan
  variables {
    runtime_info = { "engine-replicas" = "3" }
  }
  expect_failures = [var.runtime_info]
}
