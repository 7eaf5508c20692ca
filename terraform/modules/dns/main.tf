resource "aws_route53_zone" "this" {
  name    = var.zone
  comment = "InferaDB: ${var.zone}"
  tags    = var.tags
}

# Only these authorities may issue certificates for names of the zone.
resource "aws_route53_record" "caa" {
  count = length(var.certificate_issuers) > 0 ? 1 : 0

  zone_id = aws_route53_zone.this.zone_id
  name    = var.zone
  type    = "CAA"
  ttl     = 3600
  records = concat(
    [for issuer in var.certificate_issuers : "0 issue \"${issuer}\""],
    var.incident_email == null ? [] : ["0 iodef \"mailto:${var.incident_email}\""],
  )
}

# The zone above it sends questions here.
resource "aws_route53_record" "delegation" {
  count = var.parent == null ? 0 : 1

  zone_id = var.parent.zone_id
  name    = var.zone
  type    = "NS"
  ttl     = 172800
  records = aws_route53_zone.this.name_servers
}

resource "aws_route53_record" "this" {
  for_each = var.records

  zone_id = aws_route53_zone.this.zone_id
  name    = each.value.name == "" ? var.zone : "${each.value.name}.${var.zone}"
  type    = each.value.type
  ttl     = each.value.ttl
  records = each.value.values
}
