# Machines of their own rather than pods: they are the way in when the cluster is not up.

# Amazon's own pointer to its newest image.
data "aws_ssm_parameter" "image" {
  region = var.provider_region
  name   = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

resource "aws_security_group" "this" {
  region      = var.provider_region
  name_prefix = "${var.name}-"
  description = "Tailscale subnet routers of ${var.name}"
  vpc_id      = var.network_id
  tags        = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

# Direct connections between peers; without it everything goes through Tailscale's relays.
resource "aws_vpc_security_group_ingress_rule" "wireguard" {
  region            = var.provider_region
  security_group_id = aws_security_group.this.id
  description       = "WireGuard between peers"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "udp"
  from_port         = 41641
  to_port           = 41641
}

resource "aws_vpc_security_group_egress_rule" "all" {
  region            = var.provider_region
  security_group_id = aws_security_group.this.id
  description       = "To the network behind it, and to Tailscale"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# The routers may read their own auth key and nothing else.
resource "aws_iam_role" "this" {
  name_prefix = "${var.name}-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "auth_key" {
  name = "auth-key"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "ssm:GetParameter"
      Resource = "arn:aws:ssm:*:*:parameter${var.auth_key_parameter}"
    }]
  })
}

resource "aws_iam_instance_profile" "this" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.this.name
  tags        = var.tags
}

# One in each subnet: Tailscale sends traffic through the first that is up, and through another when it is gone.
resource "aws_instance" "this" {
  for_each = var.subnet_ids

  region                      = var.provider_region
  ami                         = data.aws_ssm_parameter.image.value
  instance_type               = var.instance_type
  subnet_id                   = each.value
  vpc_security_group_ids      = [aws_security_group.this.id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  associate_public_ip_address = true
  source_dest_check           = false # it forwards what is not addressed to it

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = 10
  }

  user_data_replace_on_change = true
  user_data = templatefile("${path.module}/start.sh.tftpl", {
    hostname           = "${var.name}-${each.key}"
    auth_key_parameter = var.auth_key_parameter
    routes             = join(",", var.routes)
    tags               = join(",", var.advertised_tags)
  })

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })

  lifecycle {
    # A newer image is no reason to cut the way in; a new router comes when something here changes.
    ignore_changes = [ami]
  }

  # Else a first boot has no way out, or no right to its key.
  depends_on = [aws_iam_role_policy.auth_key, aws_vpc_security_group_egress_rule.all]
}
