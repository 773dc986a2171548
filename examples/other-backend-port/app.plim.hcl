# Clients use port 443; the application listens on 8443, where it needs no privileges. With floating IP the address stays the
# frontend's, so that the application sees which site was asked for, and only the port changes.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "other-backend-port"

  backend "local" {
    path = "other-backend-port.plimsoll.json"
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
  nics = "/subscriptions/${var.subscription_id}/resourceGroups/rg-app/providers/Microsoft.Network/networkInterfaces"
}

public_ip "app" {
  resource_group = "rg-app"
  location       = "westeurope"
  lab_address    = "65.52.7.1"
}

load_balancer "app" {
  resource_group = "rg-app"
  location       = "westeurope"

  frontend "app" {
    public_ip = public_ip.app
  }

  backend_pool "vms" {}

  probe "app" {
    protocol     = "Http"
    port         = 8080
    request_path = "/healthz"
  }

  rule "app" {
    frontend              = frontend.app
    backend_pools         = [backend_pool.vms]
    probe                 = probe.app
    protocol              = "Tcp"
    frontend_port         = 443
    backend_port          = 8443
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
    backend_pools    = [load_balancer.app.backend_pool.vms]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
