provider "inferadb" {
  environment = var.environment
}

# Network, firewall and ingress load balancer: what outlives a cluster.
resource "inferadb_region" "nyc1" {
  name          = "nyc1"
  provider_type = "aws"
  cidr_block    = var.cidr_block
}

# Three control-plane nodes in three zones, two workers, one Kubernetes API in front.
resource "inferadb_cluster" "demo" {
  name               = "demo"
  region_id          = inferadb_region.nyc1.id
  talos_version      = "v1.13.9"
  kubernetes_version = "1.35.4"
  ingress            = true

  control_plane {
    count        = 3
    machine_type = "medium"
  }

  worker_pool {
    name         = "general"
    count        = var.worker_count
    machine_type = "large"
  }
}

# Where FoundationDB backs up to.
resource "inferadb_fdb_backup" "demo" {
  name            = "inferadb-${var.environment}-fdb-backup"
  region_id       = inferadb_region.nyc1.id
  noncurrent_days = 7
}
