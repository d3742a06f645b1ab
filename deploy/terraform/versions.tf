# The service on AWS: a registry, ECS on Fargate behind a load balancer, records on EFS, a bucket for models and tables,
# and roles that GitHub Actions takes without a stored key. docs/deployment.md says why Fargate. The VPC is given.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  user      = 1034 # of the image
}
