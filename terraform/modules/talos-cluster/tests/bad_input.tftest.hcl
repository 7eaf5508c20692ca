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
    worker_pools = { general = { count = 1.5 } }
  }
  expect_failures = [var.worker_pools]
}

run "a_taint_without_effect" {
  command = plan
  variables {
    worker_pools = { database = { count = 3, taints = ["dedicated=database"] } }
  }
  expect_failures = [var.worker_pools]
}

run "a_pool_s_name_that_nodes_cannot_have" {
  command = plan
  variables {
    worker_pools = { General = { count = 1 } }
  }
  expect_failures = [var.worker_pools]
}

run "a_place_before_the_first" {
  command = plan
  variables {
    worker_pools = { general = { count = 1, order = -1 } }
  }
  expect_failures = [var.worker_pools]
}

run "a_disk_that_talos_does_not_fit_on" {
  command = plan
  variables {
    worker_pools = { general = { count = 1, disk_size = 5 } }
  }
  expect_failures = [var.worker_pools]
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
    kubernetes_api_allowed_cidrs = ["203.0.113.7"]
    talos_api_allowed_cidrs      = ["203.0.113.7"]
  }
  expect_failures = [var.pod_cidr, var.kubernetes_api_allowed_cidrs, var.talos_api_allowed_cidrs]
}

run "more_services_than_kubernetes_takes" {
  command = plan
  variables {
    service_cidr = "10.0.0.0/8"
  }
  expect_failures = [var.service_cidr]
}

run "pods_and_services_of_one_range" {
  command = plan
  variables {
    pod_cidr     = "10.96.0.0/16"
    service_cidr = "10.96.0.0/12"
  }
  expect_failures = [var.service_cidr]
}

run "fewer_pods_than_nodes_take" {
  command = plan
  variables {
    pod_cidr = "10.110.0.0/23"
  }
  expect_failures = [var.pod_cidr]
}
