output "secret" {
  description = "Name of the secret in AWS Secrets Manager that holds the key, as the entry `blob_credentials.json`."
  value       = aws_secretsmanager_secret.this.name
}
