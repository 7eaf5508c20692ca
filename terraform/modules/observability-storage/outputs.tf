output "buckets" {
  description = "Name of each store's bucket."
  value       = { for store, bucket in aws_s3_bucket.this : store => bucket.bucket }
}

output "secrets" {
  description = "Name of the secret in AWS Secrets Manager that holds each store's key."
  value       = { for store, secret in aws_secretsmanager_secret.this : store => secret.name }
}
