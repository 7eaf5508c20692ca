output "zone_id" {
  description = "Id of the hosted zone."
  value       = aws_route53_zone.this.zone_id
}

output "zone" {
  description = "Domain of the zone: what `inferadb_region` takes as `dns.zone`."
  value       = aws_route53_zone.this.name
}

output "name_servers" {
  description = "Name servers of the zone, to be entered where the domain is registered."
  value       = aws_route53_zone.this.name_servers
}
