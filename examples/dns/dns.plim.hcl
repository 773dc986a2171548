# DNS forwarders behind an internal load balancer: one frontend, one rule for UDP and one for TCP. The server has to answer
# from the address that was asked, so it needs a socket for it, or IP_PKTINFO (bind, unbound and dnsmasq have either).

plimsoll {
  required_version = ">= 0.1"
  deployment       = "dns"

  backend "local" {
    path = "dns.plimsoll.json"
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
  network = "/subscriptions/${var.subscription_id}/resourceGroups/rg-dns/providers/Microsoft.Network"
}

load_balancer "dns" {
  resource_group = "rg-dns"
  location       = "westeurope"

  frontend "resolver" {
    subnet                = "${local.network}/virtualNetworks/vnet-hub/subnets/dns"
    private_ip_address    = "10.0.0.53"
    private_ip_allocation = "Static"
  }

  backend_pool "resolvers" {}

  # Azure has no UDP probe. The TCP socket of the same server is the nearest thing.
  probe "dns" {
    protocol            = "Tcp"
    port                = 53
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "dns" {
    for_each = toset(["Tcp", "Udp"])

    name          = lower(each.key)
    frontend      = frontend.resolver
    backend_pools = [backend_pool.resolvers]
    probe         = probe.dns
    protocol      = each.key
    frontend_port = 53
    backend_port  = 53
    floating_ip   = true
  }
}

guest "resolver" {
  for_each = toset(["resolver1", "resolver2"])

  os = "linux"

  network_interface "main" {
    id               = "${local.network}/networkInterfaces/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.dns.backend_pool.resolvers]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
