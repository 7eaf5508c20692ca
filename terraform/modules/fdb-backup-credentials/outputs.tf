output "secret" {
  description = "Name of the secret in AWS Secrets Manager that holds the key, as the entry `blob_credentials.json`: what an ExternalSecret refers to."
  value       = aws_secretsmanager_secret.this.name
}
