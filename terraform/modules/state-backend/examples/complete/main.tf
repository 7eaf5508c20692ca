provider "aws" {
  region = "us-east-1"
}

module "state" {
  source = "../.."

  bucket = "inferadb-example-terraform-state"
  region = "us-east-1"
}

output "backend" {
  description = "For each environment's `backend.tf`."
  value       = module.state.backend
}
