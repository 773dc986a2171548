# Two TLS sites on port 443 of the same two VMs. nginx listens on each frontend's own address, so that each site has its own
# server block, certificate and log, without asking clients for SNI.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "tls-endpoints"

  backend "local" {
    path = "tls-endpoints.plimsoll.json"
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
  nics = "/subscriptions/${var.subscription_id}/resourceGroups/rg-tls/providers/Microsoft.Network/networkInterfaces"

  # Each site: the address that it has in the lab.
  sites = {
    shop = "65.52.4.1"
    pay  = "65.52.4.2"
  }
}

public_ip "site" {
  for_each = local.sites

  resource_group = "rg-tls"
  location       = "westeurope"
  lab_address    = each.value
}

load_balancer "tls" {
  resource_group = "rg-tls"
  location       = "westeurope"

  frontend "site" {
    for_each = local.sites

    name      = each.key
    public_ip = public_ip.site[each.key]
  }

  backend_pool "proxies" {}

  # The probe goes to the VM's own address: nginx answers /healthz there, on a port that is no site's.
  probe "nginx" {
    protocol            = "Http"
    port                = 8080
    request_path        = "/healthz"
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "site" {
    for_each = local.sites

    name                  = each.key
    frontend              = frontend.site[each.key]
    backend_pools         = [backend_pool.proxies]
    probe                 = probe.nginx
    protocol              = "Tcp"
    frontend_port         = 443
    backend_port          = 443
    floating_ip           = true
    disable_outbound_snat = true
  }
}

guest "proxy" {
  for_each = toset(["proxy1", "proxy2"])

  os = "linux"

  network_interface "main" {
    id               = "${local.nics}/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.tls.backend_pool.proxies]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
