variable "regions" {
  description = "The region `local`: address range of its network, which the machine that Docker runs on uses for nothing else, and the host's ports for the ingress."
  type = map(object({
    cidr_block = string
    ports      = optional(map(number))
  }))

  validation {
    condition     = alltrue([for name in keys(var.regions) : contains(keys(local.known_regions), name)])
    error_message = "A laptop has one region, `local`."
  }
}

variable "control_plane" {
  description = "Control-plane nodes."
  type = object({
    count        = number
    machine_type = string
  })
}

variable "general" {
  description = "Worker nodes."
  type = object({
    count        = number
    machine_type = string
  })
}

variable "fdb_redundancy_mode" {
  description = "How FoundationDB keeps copies."
  type        = string
}

variable "talos_version" {
  description = "Talos version."
  type        = string
}

variable "kubernetes_version" {
  description = "Kubernetes version."
  type        = string
}

variable "talos_image" {
  description = "Image of the nodes instead of the official Talos image of `talos_version`."
  type        = string
  default     = null
}

variable "load_balancer_image" {
  description = "Image of the load balancers instead of the official HAProxy."
  type        = string
  default     = null
}

variable "runtime_info" {
  description = "What the GitOps tree is to know besides what Terraform makes: the ConfigMap `runtime-info` of the cluster."
  type        = map(string)
}
