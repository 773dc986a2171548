provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {
    subnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"

  backend_pool "vms" {}
}

output "x" {
  value = 1
}
