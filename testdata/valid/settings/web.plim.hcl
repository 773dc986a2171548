plimsoll {
  required_version = ">= 0.1"
  deployment       = "web-prod"

  backend "local" {
    path = "web.plimsoll.json"
  }
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}
