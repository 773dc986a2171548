variable "account" {
  default = "stweb"
}

plimsoll {
  deployment = "web-prod"

  backend "azblob" {
    account   = var.account
    container = "plimsoll-state"
    key       = "prod/web.plimsoll.json"
    endpoint  = "http://127.0.0.1:10000/devstoreaccount1/"
  }

  rollout {
    max_parallel    = 8
    max_unavailable = 1
  }
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}
