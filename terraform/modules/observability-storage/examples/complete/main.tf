provider "aws" {
  region = "us-east-1"
}

module "observability" {
  source = "../.."

  environment = "production"
  region      = "nyc1"

  stores = {
    loki   = { retention_days = 90 }
    tempo  = { retention_days = 14 }
    thanos = { retention_days = 365 }
  }
}

output "secrets" {
  description = "Where the keys are."
  value       = module.observability.secrets
}
