# A user who can do what cert-manager does to prove that a domain is ours, and nothing else. Nodes have no role that pods could
# take, so it needs a key.

resource "aws_iam_user" "this" {
  name = "inferadb-${var.environment}-${var.region}-cert-manager"
  tags = var.tags
}

resource "aws_iam_user_policy" "this" {
  name = "dns-challenges"
  user = aws_iam_user.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Find"
        Effect   = "Allow"
        Action   = ["route53:ListHostedZonesByName", "route53:GetChange", "route53:ListResourceRecordSets"]
        Resource = "*"
      },
      # By the records' names, which say the zone as well: its id is not needed, nor the right to look it up.
      {
        Sid      = "Challenges"
        Effect   = "Allow"
        Action   = "route53:ChangeResourceRecordSets"
        Resource = "arn:aws:route53:::hostedzone/*"
        Condition = {
          "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["TXT"] }
          "ForAllValues:StringLike" = {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["_acme-challenge.${var.zone}", "_acme-challenge.*.${var.zone}"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_access_key" "this" {
  user = aws_iam_user.this.name
}

resource "aws_secretsmanager_secret" "this" {
  region                  = var.provider_region
  name                    = "inferadb/${var.environment}/${var.region}/cert-manager"
  description             = "Key of cert-manager for challenges in the zone ${var.zone}"
  recovery_window_in_days = var.recovery_window_in_days
  tags                    = var.tags
}

# The entries are those of the Secret `route53` in the cluster.
resource "aws_secretsmanager_secret_version" "this" {
  region    = var.provider_region
  secret_id = aws_secretsmanager_secret.this.id
  secret_string = jsonencode({
    access-key-id     = aws_iam_access_key.this.id
    secret-access-key = aws_iam_access_key.this.secret
  })
}
