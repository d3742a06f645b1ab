output "address" {
  description = "Name of the balancer; point the name of the certificate at it."
  value       = aws_lb.this.dns_name
}

output "registry" {
  description = "REGISTRY of `make image-push`, and the variable REGISTRY of the repository."
  value       = trimsuffix(aws_ecr_repository.this["credit-scorer"].repository_url, "/credit-scorer")
}

output "bucket" {
  description = "For models (models/) and DVC (dvc/): DVC_REMOTE is s3://<bucket>/dvc."
  value       = aws_s3_bucket.this.bucket
}

output "github_roles" {
  description = "Variables AWS_PUSH_ROLE and AWS_DATA_ROLE of the repository."
  value       = { for name, role in aws_iam_role.github : name => role.arn }
}

output "log_group" {
  description = "Where the service's log is."
  value       = aws_cloudwatch_log_group.this.name
}
