variable "name" {
  description = "Name of the service, which the names of its resources begin with."
  type        = string
  default     = "credit-scorer"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens, and begin with a letter."
  }
}

variable "image" {
  description = "The image to run, by digest: <registry>/<name>@sha256:<64 hex digits>. A tag can be moved."
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end in @sha256:<64 hex digits>; `make image-push` prints it."
  }
}

variable "vpc_id" {
  description = "The VPC to run in."
  type        = string
  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must look like vpc-0123456789abcdef0."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in at least two zones, with a way to ECR, CloudWatch and Secrets Manager (NAT or endpoints)."
  type        = list(string)
  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids must name two subnets or more: one zone may fail."
  }
}

variable "client_cidrs" {
  description = "Networks that may call the service."
  type        = list(string)
  validation {
    condition     = length(var.client_cidrs) > 0 && alltrue([for c in var.client_cidrs : can(cidrhost(c, 0)) && !endswith(c, "/0")])
    error_message = "client_cidrs must be networks such as 10.0.0.0/16, and not the whole internet."
  }
}

variable "certificate_arn" {
  description = "Certificate of ACM for the name that clients call."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate of ACM."
  }
}

variable "secrets" {
  description = "ARNs in Secrets Manager: log_key, 32 bytes in base64 that seal the records; keys_file, the YAML that `python -m serving.access new` writes."
  type = object({
    log_key   = string
    keys_file = string
  })
  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:aws[a-z-]*:secretsmanager:", arn))])
    error_message = "secrets.log_key and secrets.keys_file must be ARNs of Secrets Manager."
  }
}

variable "settings" {
  description = "Settings of the service, SCORER_<KEY> of configs/service.yaml and configs/monitoring.yaml."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^SCORER_[A-Z_]+$", name))])
    error_message = "settings must have names such as SCORER_MAX_ROWS."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), ["SCORER_DIRECTORY", "SCORER_KEYS_FILE", "SCORER_LOG_KEY", "SCORER_LOG_FORMAT"])) == 0
    error_message = "settings must not name what the module sets: SCORER_DIRECTORY, SCORER_KEYS_FILE, SCORER_LOG_KEY, SCORER_LOG_FORMAT."
  }
}

variable "size" {
  description = "Of a task: cpu in units of 1/1024 core, memory in MiB; and the least and the greatest number of tasks."
  type = object({
    cpu    = optional(number, 1024)
    memory = optional(number, 2048)
    least  = optional(number, 2)
    most   = optional(number, 10)
  })
  default = {}
  validation {
    condition     = contains([512, 1024, 2048, 4096], var.size.cpu) && var.size.memory >= 2 * var.size.cpu
    error_message = "size.cpu must be 512, 1024, 2048 or 4096, and size.memory at least twice that."
  }
  validation {
    condition     = var.size.least >= 2 && var.size.most >= var.size.least
    error_message = "size.least must be 2 or more, as one task is no service, and size.most not less than it."
  }
}

variable "github_repository" {
  description = "The repository whose workflows may take the roles, as owner/name."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must look like owner/name."
  }
}

variable "github_oidc_provider_arn" {
  description = "The identity provider of GitHub in this account, which has one at most; null makes it."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the service's log, which holds no applicant."
  type        = number
  default     = 90
  validation {
    condition     = contains([30, 60, 90, 180, 365, 731], var.log_retention_days)
    error_message = "log_retention_days must be 30, 60, 90, 180, 365 or 731."
  }
}

variable "alarm_topic_arns" {
  description = "Topics of SNS that are told of alarms."
  type        = list(string)
  default     = []
}
