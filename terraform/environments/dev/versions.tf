terraform {
  required_version = ">= 1.11"

  required_providers {
    inferadb = {
      source  = "inferadb/inferadb"
      version = "~> 0.1"
    }
  }
}
