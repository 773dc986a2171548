variable "who" {
  default   = "st1"
  sensitive = true
}

plimsoll {
  backend "azblob" {
    account    = var.who
    container  = "Plimsoll--State"
    key        = "prod//web.json"
    endpoint   = "http://storage.example"
    access_key = "c2VjcmV0"
    conteiner  = "x"
  }

  backend "local" {
    path = ""
  }

  rollout {
    max_parallel    = 0
    max_unavailable = "25%"
    max_surge       = 1
  }
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}
