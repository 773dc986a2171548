provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

locals {
  a = cidrsubnet("10.0.0.0/24", 20, 1)
}
