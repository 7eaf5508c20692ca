# Made, found unchanged, scaled in place, removed. Needs a cloud: `TF_VAR_cidr_block` says where there is room.

provider "inferadb" {
  environment = "test"
}

variables {
  name          = "blue"
  control_plane = { count = 3, machine_type = "small" }
  worker_pools  = { general = { count = 1 } }
}

run "region" {
  module {
    source = "../region"
  }
  variables {
    name = "nyc1"
  }
}

run "made" {
  variables {
    region_id = run.region.id
  }
  assert {
    condition     = output.id == "test/nyc1/blue"
    error_message = "The id names environment, region and cluster: ${output.id}"
  }
  assert {
    condition     = sort(keys(output.nodes)) == tolist(["control-plane-0", "control-plane-1", "control-plane-2", "general-0"])
    error_message = "Every node has a name: ${jsonencode(keys(output.nodes))}"
  }
  assert {
    condition     = length(distinct([for node in values(output.nodes) : node.zone if node.role == "control-plane"])) == 3
    error_message = "Control-plane nodes stand in different zones."
  }
  assert {
    condition     = startswith(output.endpoint, "https://") && endswith(output.endpoint, ":6443")
    error_message = "The endpoint is the Kubernetes API: ${output.endpoint}"
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  variables {
    region_id = run.region.id
  }
  assert {
    condition     = alltrue([for node in values(output.nodes) : node.instance_id != "" && node.reboots == 0]) && output.endpoint != ""
    error_message = "A second apply would make nothing again."
  }
}

run "scaled_and_joined_by_a_pool" {
  variables {
    region_id = run.region.id
    worker_pools = {
      general = { count = 2 }
      batch   = { count = 1, machine_type = "small", order = 1 }
    }
  }
  assert {
    condition     = length(output.nodes) == 6 && output.nodes["general-1"].pool == "general" && output.nodes["batch-0"].pool == "batch"
    error_message = "A pool grows and another comes: ${jsonencode(output.nodes)}"
  }
  assert {
    condition     = [for pool in inferadb_cluster.this.worker_pool : pool.name] == ["general", "batch"]
    error_message = "A pool with a higher order comes behind those that stand, whatever its name."
  }
  assert {
    condition     = alltrue([for node in values(output.nodes) : node.reboots == 0])
    error_message = "What stood takes no notice: ${jsonencode(output.nodes)}"
  }
}

run "without_credentials" {
  variables {
    region_id            = run.region.id
    worker_pools         = { general = { count = 2 } }
    credentials_in_state = false
  }
  assert {
    condition     = output.kubeconfig == null && output.talosconfig == null
    error_message = "No credentials are left in the state."
  }
  assert {
    condition     = length(output.nodes) == 5
    error_message = "A pool that is taken away takes its nodes along: ${jsonencode(keys(output.nodes))}"
  }
}
