# A user who can do what FoundationDB's backup agents do in one bucket, and nothing else. Nodes have no role that pods could
# take, so the agents need a key.

resource "aws_iam_user" "this" {
  name = "inferadb-${var.environment}-${var.region}-fdb-backup"
  tags = var.tags
}

resource "aws_iam_user_policy" "this" {
  name = "backup"
  user = aws_iam_user.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
        Resource = "arn:aws:s3:::${var.bucket}"
      },
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = "arn:aws:s3:::${var.bucket}/*"
      },
    ]
  })
}

resource "aws_iam_access_key" "this" {
  user = aws_iam_user.this.name
}

resource "aws_secretsmanager_secret" "this" {
  region                  = var.provider_region
  name                    = "inferadb/${var.environment}/${var.region}/fdb-backup"
  description             = "Key of FoundationDB's backup agents for the bucket ${var.bucket}"
  recovery_window_in_days = var.recovery_window_in_days
  tags                    = var.tags
}

# The one entry is the file that `FDB_BLOB_CREDENTIALS` names, as FoundationDB reads it for URLs that begin with `blobstore://@HOST`.
resource "aws_secretsmanager_secret_version" "this" {
  region    = var.provider_region
  secret_id = aws_secretsmanager_secret.this.id
  secret_string = jsonencode({
    "blob_credentials.json" = jsonencode({
      accounts = {
        "@${var.host}" = {
          api_key = aws_iam_access_key.this.id
          secret  = aws_iam_access_key.this.secret
        }
      }
    })
  })
}
