output "backend" {
  description = "What goes into each `backend.tf`: `terraform output -raw backend`."
  value       = module.state_backend.backend
}

output "name_servers" {
  description = "Name servers of the zone, to be entered where the domain is registered."
  value       = module.zone.name_servers
}

output "zones" {
  description = "The zones that environments name in `dns_zone`."
  value       = [module.zone.zone, module.staging_zone.zone]
}
