variable "port" {
  type    = number
  default = 0

  validation {
    condition     = var.port > 0
    error_message = "The port must be positive."
  }
}

locals {
  a = var.port
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}
