provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

variable "key" {
  type      = string
  default   = "k"
  sensitive = true
}

output "key" {
  value = var.key
}
