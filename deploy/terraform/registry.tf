# One image for several processors, and below a name of its own that for each: .ci/push pushes those, .ci/join makes one.
locals {
  repositories = { for path in ["credit-scorer", "amd64/credit-scorer", "arm64/credit-scorer"] : path => "${var.name}/${path}" }
}

# Tags can be pushed again. Where they cannot, ECR refuses even the same digest under the same tag, so that a workflow that
# was interrupted between image and signature could never end (version 5 of the provider knows no exception for the tags
# of signatures). Nothing hangs on a tag: the service takes images by digest (var.image), a signature is of a digest, and
# the tags of what is beside an image are named by its digest.
resource "aws_ecr_repository" "this" {
  for_each             = local.repositories
  name                 = each.value
  image_tag_mutability = "MUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each   = aws_ecr_repository.this
  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "the last 1000, of which a release is some 15: images, signatures and what describes them"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 1000 }
      action       = { type = "expire" }
    }]
  })
}
