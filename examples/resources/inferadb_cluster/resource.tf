# A Kubernetes cluster on Talos Linux: API load balancer, control plane, worker pools.
resource "inferadb_cluster" "prod_nyc1" {
  name               = "prod-nyc1"
  region_id          = inferadb_region.nyc1.id
  talos_version      = "v1.13.9"
  kubernetes_version = "1.35.4"
  ingress            = true # its workers serve the region's ingress load balancer

  control_plane {
    count        = 3
    machine_type = "medium"
  }

  worker_pool {
    name         = "general"
    count        = 3
    machine_type = "large"
  }

  worker_pool {
    name         = "database"
    count        = 9
    machine_type = "large"
    labels       = { "inferadb.com/pool" = "database" }
    taints       = ["dedicated=database:NoSchedule"]
  }

  # Strategic merge patches for every node, in Talos' own words.
  config_patches = [<<-YAML
    machine:
      kubelet:
        extraArgs:
          rotate-server-certificates: "true"
  YAML
  ]
}
