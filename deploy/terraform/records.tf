# The decision log, in a folder per task: a task of Fargate takes its own disk with it when it ends.
resource "aws_efs_file_system" "records" {
  creation_token   = "${var.name}-records"
  encrypted        = true
  kms_key_id       = aws_kms_key.this.arn
  throughput_mode  = "elastic"
  performance_mode = "generalPurpose"
  tags             = { Name = "${var.name}-records" }
  lifecycle {
    prevent_destroy = true # records that the law wants kept
  }
}

resource "aws_efs_backup_policy" "records" {
  file_system_id = aws_efs_file_system.records.id
  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_mount_target" "records" {
  count           = length(var.subnet_ids)
  file_system_id  = aws_efs_file_system.records.id
  subnet_id       = var.subnet_ids[count.index]
  security_groups = [aws_security_group.records.id]
}

resource "aws_efs_access_point" "records" {
  file_system_id = aws_efs_file_system.records.id
  posix_user {
    uid = local.user
    gid = local.user
  }
  root_directory {
    path = "/records"
    creation_info {
      owner_uid   = local.user
      owner_gid   = local.user
      permissions = "0700"
    }
  }
}

resource "aws_efs_file_system_policy" "records" {
  file_system_id = aws_efs_file_system.records.id
  policy         = data.aws_iam_policy_document.records.json
}

data "aws_iam_policy_document" "records" {
  statement {
    sid       = "TheServiceByItsAccessPoint"
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.records.arn]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.task.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:AccessPointArn"
      values   = [aws_efs_access_point.records.arn]
    }
  }
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["*"]
    resources = [aws_efs_file_system.records.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
