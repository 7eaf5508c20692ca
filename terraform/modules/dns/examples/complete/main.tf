# The zone of the product, and one for staging below it.

provider "aws" {
  region = "us-east-1"
}

module "product" {
  source = "../.."

  zone           = "inferadb.com"
  incident_email = "security@inferadb.com"

  records = {
    mail = { type = "MX", values = ["10 mail.inferadb.com"] }
    docs = { name = "docs", type = "CNAME", values = ["pages.example.com"] }
  }
}

module "staging" {
  source = "../.."

  zone   = "staging.inferadb.com"
  parent = { zone_id = module.product.zone_id }
  tags   = { environment = "staging" }
}

output "name_servers" {
  description = "To be entered where the domain is registered."
  value       = module.product.name_servers
}
