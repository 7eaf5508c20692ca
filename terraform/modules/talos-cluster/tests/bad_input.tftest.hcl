# What cannot work is refused before any cloud is asked.

provider "inferadb" {
  environment = "test"
}

variables {
  name      = "blue"
  region_id = "test/aws/us-east-1/nyc1"
}

run "a_name_that_clouds_do_not_take" {
  command = plan
  variables {
    name = "Blue"
  }
  expect_failures = [var.name]
}

run "a_region_s_name_in_place_of_its_id" {
  command = plan
  variables {
    region_id = "nyc1"
  }
  expect_failures = [var.region_id]
}

run "an_even_control_plane" {
  command = plan
  variables {
    control_plane = { count = 2 }
  }
  expect_failures = [var.control_plane]
}

run "half_a_node" {
  command = plan
  variables {
    general = { count = 1.5 }
  }
  expect_failures = [var.general]
}

run "a_taint_without_effect" {
  command = plan
  variables {
    database = { count = 3, taints = ["dedicated=database"] }
  }
  expect_failures = [var.database]
}

run "a_talos_version_without_its_v" {
  command = plan
  variables {
    talos_version = "1.13.9"
  }
  expect_failures = [var.talos_version]
}

run "a_kubernetes_version_with_a_v" {
  command = plan
  variables {
    kubernetes_version = "v1.35.4"
  }
  expect_failures = [var.kubernetes_version]
}

run "the_name_of_a_patch_in_place_of_its_text" {
  command = plan
  variables {
    config_patches = ["talos/patches/common/kubelet.yaml"]
  }
  expect_failures = [var.config_patches]
}

run "addresses_without_ranges" {
  command = plan
  variables {
    pod_cidr                     = "10.244.0.0"
    service_cidr                 = "ten"
    kubernetes_api_allowed_cidrs = ["203.0.113.7"]
    talos_api_allowed_cidrs      = ["203.0.113.7"]
  }
  expect_failures = [var.pod_cidr, var.service_cidr, var.kubernetes_api_allowed_cidrs, var.talos_api_allowed_cidrs]
}
