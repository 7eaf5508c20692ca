# For a bucket that the module `fdb-backup` has made.

provider "aws" {
  region = "us-east-1"
}

module "credentials" {
  source = "../.."

  environment = "production"
  region      = "nyc1"
  bucket      = "inferadb-production-nyc1-fdb-backup"
  host        = "s3.us-east-1.amazonaws.com"
}

output "secret" {
  description = "Where the key is."
  value       = module.credentials.secret
}
