terraform {
  required_version = ">= 1.11"

  required_providers {
    # Its modules use it, and its tests configure it.
    # tflint-ignore: terraform_unused_required_providers
    inferadb = {
      source  = "inferadb/inferadb"
      version = "~> 0.1"
    }
  }
}
