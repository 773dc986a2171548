public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
}
