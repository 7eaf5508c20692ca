# Two routers for a region that the module `region` has made.

provider "aws" {
  region = "us-east-1"
}

variable "network_id" {
  description = "Output `network_id` of the module `region`."
  type        = string
  default     = "vpc-0123456789abcdef0"
}

variable "subnet_ids" {
  description = "Two of the output `subnet_ids` of the module `region`."
  type        = map(string)
  default = {
    us-east-1a = "subnet-0123456789abcdef0"
    us-east-1b = "subnet-0123456789abcdef1"
  }
}

module "routers" {
  source = "../.."

  name               = "production-nyc1"
  network_id         = var.network_id
  subnet_ids         = var.subnet_ids
  routes             = ["10.10.0.0/16"]
  auth_key_parameter = "/inferadb/production/tailscale"
}

output "instance_ids" {
  description = "The routers."
  value       = module.routers.instance_ids
}
