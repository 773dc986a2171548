provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
}

moved {
  from = load_balancer.old
  to   = public_ip.green
}
