# A load balancer that someone made in the portal, taken over: what is declared is adopted, what is not stays as it is.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "adopt"

  backend "local" {
    path = "adopt.plimsoll.json"
  }
}

provider "azure" {
  subscription_id = var.subscription_id
}

variable "subscription_id" {
  type    = string
  default = "00000000-0000-0000-0000-000000000000"
}

locals {
  nics = "/subscriptions/${var.subscription_id}/resourceGroups/rg-old/providers/Microsoft.Network/networkInterfaces"
}

public_ip "web" {
  name           = "web-ip"
  resource_group = "rg-old"
  location       = "westeurope"
  lab_address    = "65.52.8.1"
}

load_balancer "web" {
  name           = "web-lb"
  resource_group = "rg-old"
  location       = "westeurope"

  frontend "web" {
    public_ip = public_ip.web
  }

  backend_pool "vms" {}

  probe "http" {
    protocol     = "Http"
    port         = 8080
    request_path = "/healthz"
  }

  # The portal's name, kept: another name would be another rule.
  rule "web" {
    name                  = "LBRule-80"
    frontend              = frontend.web
    backend_pools         = [backend_pool.vms]
    probe                 = probe.http
    protocol              = "Tcp"
    frontend_port         = 80
    backend_port          = 80
    floating_ip           = true
    disable_outbound_snat = true
  }
}

guest "vm" {
  for_each = toset(["vm1", "vm2"])

  os = "linux"

  network_interface "main" {
    id               = "${local.nics}/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
