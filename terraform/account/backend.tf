# The state of what makes the states' bucket: a file here for the first apply. Then fill in `terraform output -raw backend` and run
# `terraform init -migrate-state`.
#
# terraform {
#   backend "s3" {
#     bucket       = ""                             # `state_bucket`
#     key          = "account/terraform.tfstate"
#     region       = "us-east-1"
#     encrypt      = true
#     kms_key_id   = ""                             # the key's ARN
#     use_lockfile = true
#   }
# }
