# For the zone of production's names.

provider "aws" {
  region = "us-east-1"
}

module "credentials" {
  source = "../.."

  environment = "production"
  region      = "nyc1"
  zone        = "inferadb.com"
}

output "secret" {
  description = "Where the key is."
  value       = module.credentials.secret
}
