# Where the state is kept. It holds the clusters' secrets, so the bucket is encrypted and versioned, and few may read it.
# Without this block the state is a file in this folder: good for a look around, not for a team. Fill in the name of your
# bucket, uncomment, and run `terraform init -migrate-state`.
#
# terraform {
#   backend "s3" {
#     bucket       = ""                             # a bucket of yours, with versioning
#     key          = "staging/terraform.tfstate"
#     region       = ""                             # where that bucket is
#     encrypt      = true
#     use_lockfile = true                           # two applies at once wait for each other
#   }
# }
