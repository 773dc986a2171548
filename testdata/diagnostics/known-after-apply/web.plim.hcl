provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  name           = "green-${formatdate("YYYY", timestamp())}"
  resource_group = "rg-web"
  location       = "westeurope"
}
