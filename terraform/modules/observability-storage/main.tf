locals {
  buckets = { for store in keys(var.stores) : store => "${var.bucket_prefix}-${var.environment}-${var.region}-${store}" }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  region        = var.provider_region
  bucket        = each.value
  force_destroy = var.force_destroy
  tags          = merge(var.tags, { store = each.key })
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  region = var.provider_region
  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  region = var.provider_region
  bucket = aws_s3_bucket.this[each.key].bucket

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  region = var.provider_region
  bucket = aws_s3_bucket.this[each.key].bucket

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::${each.value}", "arn:aws:s3:::${each.value}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# The stores expire what they no longer need; this is for what they lose track of. It comes later than they do: an object that
# a store still has in its index and the bucket no longer has is an error of every query that touches it.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  region = var.provider_region
  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.stores[each.key].retention_days + var.stores[each.key].margin_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

# A user for each store, who can do what the store does in its own bucket and nothing else. Nodes have no role that pods could
# take, so the stores need keys.
resource "aws_iam_user" "this" {
  for_each = local.buckets

  name = each.value
  tags = var.tags
}

resource "aws_iam_user_policy" "this" {
  for_each = local.buckets

  name = "store"
  user = aws_iam_user.this[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = "arn:aws:s3:::${each.value}"
      },
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = "arn:aws:s3:::${each.value}/*"
      },
      ], var.kms_key_arn == null ? [] : [
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.kms_key_arn
      },
    ])
  })
}

resource "aws_iam_access_key" "this" {
  for_each = local.buckets

  user = aws_iam_user.this[each.key].name
}

resource "aws_secretsmanager_secret" "this" {
  for_each = local.buckets

  region                  = var.provider_region
  name                    = "inferadb/${var.environment}/${var.region}/${each.key}"
  description             = "Key of ${each.key} for the bucket ${each.value}"
  recovery_window_in_days = var.recovery_window_in_days
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.buckets

  region    = var.provider_region
  secret_id = aws_secretsmanager_secret.this[each.key].id
  secret_string = jsonencode({
    AWS_ACCESS_KEY_ID     = aws_iam_access_key.this[each.key].id
    AWS_SECRET_ACCESS_KEY = aws_iam_access_key.this[each.key].secret
    BUCKET                = each.value
  })
}
