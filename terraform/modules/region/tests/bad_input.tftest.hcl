# What cannot work is refused before any cloud is asked.

provider "inferadb" {
  environment = "test"
}

variables {
  name       = "nyc1"
  cidr_block = "10.10.0.0/16"
}

run "a_name_that_clouds_do_not_take" {
  command = plan
  variables {
    name = "NYC_1"
  }
  expect_failures = [var.name]
}

run "a_range_that_is_none" {
  command = plan
  variables {
    cidr_block = "10.10.0.0"
  }
  expect_failures = [var.cidr_block]
}

run "a_range_that_is_too_small" {
  command = plan
  variables {
    cidr_block = "10.10.0.0/24"
  }
  expect_failures = [var.cidr_block]
}

run "a_zone_given_twice" {
  command = plan
  variables {
    zones = ["us-east-1a", "us-east-1a"]
  }
  expect_failures = [var.zones]
}

run "an_address_without_its_range" {
  command = plan
  variables {
    ingress_allowed_cidrs = ["203.0.113.7"]
  }
  expect_failures = [var.ingress_allowed_cidrs]
}

run "a_port_that_the_ingress_does_not_have" {
  command = plan
  variables {
    ports = { "8080" = 80 }
  }
  expect_failures = [var.ports]
}

run "half_of_no_pair" {
  command = plan
  variables {
    dns = { zone = "inferadb.com", failover = "primary", health_check = {} }
  }
  expect_failures = [var.dns]
}

run "a_primary_that_nobody_checks" {
  command = plan
  variables {
    dns = { zone = "inferadb.com", failover = "PRIMARY" }
  }
  expect_failures = [var.dns]
}

run "an_interval_that_route_53_does_not_have" {
  command = plan
  variables {
    dns = { zone = "inferadb.com", health_check = { request_interval = 20 } }
  }
  expect_failures = [var.dns]
}
