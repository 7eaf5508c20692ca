terraform {
  required_providers {
    inferadb = {
      source  = "inferadb/inferadb"
      version = "~> 0.1"
    }
  }
}

provider "inferadb" {
  environment         = "production" # goes into every name and tag
  allowed_account_ids = ["123456789012"]
  default_tags        = { team = "platform" }

  # Without a profile, credentials come from the chain that AWS tools share: environment, shared files, SSO, instance role.
  aws {
    profile = "production"
  }
}
