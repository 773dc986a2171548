provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

variable "location" {
  type = string
}

public_ip "green" {
  resource_group = "rg-web"
  location       = var.location
}
