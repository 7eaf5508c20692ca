output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "kms_key_arn" {
  description = "ARN of the key that states are encrypted with: who runs Terraform needs `kms:Decrypt` and `kms:GenerateDataKey` on it."
  value       = aws_kms_key.this.arn
}

output "backend" {
  description = "What goes into an environment's `backend.tf`; its `key` is the environment's name."
  value       = <<-HCL
    terraform {
      backend "s3" {
        bucket       = "${aws_s3_bucket.this.bucket}"
        key          = "ENVIRONMENT/terraform.tfstate"
        region       = "${var.region}"
        encrypt      = true
        kms_key_id   = "${aws_kms_key.this.arn}"
        use_lockfile = true
      }
    }
  HCL
}
