output "region" {
  description = "For the module `regional-stack`."
  value       = local.region
}
