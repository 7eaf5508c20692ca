output "secret" {
  description = "Name of the secret in AWS Secrets Manager that holds the key, as the entries `access-key-id` and `secret-access-key`."
  value       = aws_secretsmanager_secret.this.name
}
