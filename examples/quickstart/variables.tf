variable "environment" {
  description = "Goes into every name and tag."
  type        = string
  default     = "quickstart"
}

variable "cidr_block" {
  description = "Address range of the network. `make quickstart` gives a loopback range, so that nodes are reachable without set-up."
  type        = string
  default     = "10.10.0.0/16"
}

variable "worker_count" {
  description = "Worker nodes. Changing it scales the pool in place."
  type        = number
  default     = 2
}
