provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

locals {
  a = true ? [1] : { b = 1 }
}
