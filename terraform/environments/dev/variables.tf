variable "regions" {
  description = "The region `local`: address ranges of its network, which the machine that Docker runs on uses for nothing else, of pods and of services, and the host's ports for the ingress."
  type = map(object({
    cidr_block   = string
    pod_cidr     = optional(string, "10.105.0.0/16")
    service_cidr = optional(string, "10.205.0.0/16")
    ports        = optional(map(number))
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

variable "worker_pools" {
  description = "Pools of worker nodes: `general` for everything, and others of your own."
  type = map(object({
    count        = number
    machine_type = string
    labels       = optional(map(string), {})
    taints       = optional(list(string))
    order        = optional(number, 0)
  }))
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

variable "settings" {
  description = "What the environment decides of what runs in its cluster: the part of the output `cluster_settings` that does not follow from what Terraform makes."
  type        = map(string)
}
