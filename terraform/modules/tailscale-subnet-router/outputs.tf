output "instance_ids" {
  description = "Each router's instance."
  value       = { for key, instance in aws_instance.this : key => instance.id }
}

output "security_group_id" {
  description = "The routers' security group, for rules that let them in."
  value       = aws_security_group.this.id
}
