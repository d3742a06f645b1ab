# One environment. Copy it, and keep its state in a bucket of your own: terraform init -backend-config=...
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { project = "credit-scorer", environment = "production" }
  }
}

module "credit_scorer" {
  source = "./.."

  image             = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/credit-scorer/credit-scorer@sha256:${local.digest}"
  vpc_id            = "vpc-0123456789abcdef0"
  subnet_ids        = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]
  client_cidrs      = ["10.0.0.0/16"]
  certificate_arn   = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
  github_repository = "example/credit-scorer"
  secrets = {
    log_key   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:credit-scorer/log-key-AbCdEf"
    keys_file = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:credit-scorer/keys-AbCdEf"
  }
  settings = { SCORER_MAX_ROWS = "10000", SCORER_WORKERS = "1" }
}

locals {
  digest = "0000000000000000000000000000000000000000000000000000000000000000" # printed by `make image-push`
}

output "credit_scorer" {
  value = module.credit_scorer
}
