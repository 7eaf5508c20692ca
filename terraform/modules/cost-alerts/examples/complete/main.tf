# Production's limit; the platform team learns of a forecast, who is on call of the fact too.

provider "aws" {
  region = "us-east-1"
}

module "production" {
  source = "../.."

  environment   = "production"
  monthly_limit = 2000
  emails        = ["platform-team@inferadb.com"]
  urgent_emails = ["oncall@inferadb.com"]
}

module "staging" {
  source = "../.."

  environment   = "staging"
  monthly_limit = 600
  emails        = ["platform-team@inferadb.com"]
  activate_tag  = false # once is enough
}
