provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

locals {
  a = { b = 1 }
  c = local.a.d
}
