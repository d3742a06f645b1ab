resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

locals {
  logging = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-region        = local.region
      awslogs-stream-prefix = "scorer"
    }
  }
  settings = merge(var.settings, {
    SCORER_LOG_FORMAT = "json"
    SCORER_KEYS_FILE  = "/tmp/keys.yaml"
    # TLS ends at the load balancer, and the security group admits nobody else to a task.
    SCORER_KEYS_WITHOUT_TLS = "true"
    SCORER_GRPC_PORT        = "0" # the balancer speaks HTTP here
    BENTOML_HOME            = "/tmp/bentoml"
    TMPDIR                  = "/tmp"
  })
  # A folder of records for each task: an address belongs to one task at a time, and its next goes on in the folder.
  # The key file is a file, as the service follows it; the variable that brought it ends here.
  start = <<-SHELL
    umask 077
    printf '%s' "$KEYS_YAML" > /tmp/keys.yaml
    unset KEYS_YAML
    export SCORER_DIRECTORY="/scorer/var/$(hostname)"
    exec bentoml serve /scorer/bento
  SHELL
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  volume {
    name = "tmp"
  }
  volume {
    name = "records"
    efs_volume_configuration {
      file_system_id     = aws_efs_file_system.records.id
      transit_encryption = "ENABLED"
      authorization_config {
        access_point_id = aws_efs_access_point.records.id
        iam             = "ENABLED"
      }
    }
  }

  container_definitions = jsonencode([
    {
      # An empty volume of Fargate belongs to root. This opens it, and ends.
      name                   = "tmp"
      image                  = var.image
      essential              = false
      user                   = "0"
      entryPoint             = ["chmod", "1777", "/tmp"]
      readonlyRootFilesystem = true
      mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp" }]
      logConfiguration       = local.logging
    },
    {
      name                   = "scorer"
      image                  = var.image
      essential              = true
      user                   = "${local.user}:${local.user}"
      command                = ["sh", "-c", local.start]
      dependsOn              = [{ containerName = "tmp", condition = "SUCCESS" }]
      readonlyRootFilesystem = true
      linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
      stopTimeout            = 35 # longer than grace_s
      portMappings           = [{ containerPort = 3000, protocol = "tcp" }]
      mountPoints = [
        { sourceVolume = "records", containerPath = "/scorer/var" },
        { sourceVolume = "tmp", containerPath = "/tmp" },
      ]
      environment = [for name in sort(keys(local.settings)) : { name = name, value = local.settings[name] }]
      secrets = [
        { name = "SCORER_LOG_KEY", valueFrom = var.secrets.log_key },
        { name = "KEYS_YAML", valueFrom = var.secrets.keys_file },
      ]
      healthCheck = {
        command     = ["CMD", "python", "/scorer/healthcheck.py"]
        interval    = 10
        timeout     = 5
        retries     = 3
        startPeriod = 60
      }
      logConfiguration = local.logging
    },
  ])
}

resource "aws_ecs_service" "this" {
  name                              = var.name
  cluster                           = aws_ecs_cluster.this.id
  task_definition                   = aws_ecs_task_definition.this.arn
  desired_count                     = var.size.least
  launch_type                       = "FARGATE"
  health_check_grace_period_seconds = 60
  propagate_tags                    = "SERVICE"

  # New tasks first, and back to the former ones where they do not become healthy or the alarm goes off.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  alarms {
    enable      = true
    rollback    = true
    alarm_names = [aws_cloudwatch_metric_alarm.errors.alarm_name]
  }

  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.task.id]
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = "scorer"
    container_port   = 3000
  }
  lifecycle {
    ignore_changes = [desired_count] # the autoscaler's
  }
  depends_on = [aws_lb_listener.https, aws_efs_mount_target.records]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "More than one request in a hundred ends in a 5xx, of a task or of the balancer for want of one"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  # RequestCount is of requests for which a task was chosen; the balancer's own 502, 503 and 504 may have had none.
  metric_query {
    id          = "share"
    expression  = "100 * (FILL(target, 0) + FILL(balancer, 0)) / (FILL(requests, 0) + FILL(balancer, 0))"
    label       = "share of 5xx in percent"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = {
      target   = "HTTPCode_Target_5XX_Count"
      balancer = "HTTPCode_ELB_5XX_Count"
      requests = "RequestCount"
    }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 60
        dimensions  = { LoadBalancer = aws_lb.this.arn_suffix }
      }
    }
  }
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  min_capacity       = var.size.least
  max_capacity       = var.size.most
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 30
    scale_in_cooldown  = 600
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
