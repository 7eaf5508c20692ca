# Where the state is kept. It holds the clusters' secrets, so the bucket is encrypted and versioned, and few may read it:
# terraform/account makes such a one. Without this block the state is a file in this folder: good for a look around, not for a
# team. Fill in what `terraform -chdir=../../account output -raw backend` prints, uncomment, and run
# `terraform init -migrate-state`.
#
# terraform {
#   backend "s3" {
#     bucket       = ""                             # `state_bucket` of terraform/account
#     key          = "production/terraform.tfstate"
#     region       = ""                             # where that bucket is
#     encrypt      = true
#     kms_key_id   = ""                             # the ARN of its key
#     use_lockfile = true                           # two applies at once wait for each other
#   }
# }
