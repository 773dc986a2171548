# One site over IPv4 and IPv6: a frontend, a pool and a rule for each family, because Azure does not mix them in one pool.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "dual-stack"

  backend "local" {
    path = "dual-stack.plimsoll.json"
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
  nics = "/subscriptions/${var.subscription_id}/resourceGroups/rg-dual/providers/Microsoft.Network/networkInterfaces"

  families = {
    v4 = { version = "IPv4", lab_address = "65.52.6.1" }
    v6 = { version = "IPv6", lab_address = "2001:db8:6::1" }
  }
}

public_ip "site" {
  for_each = local.families

  resource_group = "rg-dual"
  location       = "westeurope"
  version        = each.value.version
  lab_address    = each.value.lab_address
}

load_balancer "site" {
  resource_group = "rg-dual"
  location       = "westeurope"

  frontend "site" {
    for_each  = local.families
    public_ip = public_ip.site[each.key]
  }

  backend_pool "vms" {
    for_each = local.families
  }

  probe "health" {
    protocol     = "Http"
    port         = 8080
    request_path = "/healthz"
  }

  rule "site" {
    for_each = local.families

    frontend              = frontend.site[each.key]
    backend_pools         = [backend_pool.vms[each.key]]
    probe                 = probe.health
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

  # One NIC with an IP configuration for each family.
  network_interface "v4" {
    id               = "${local.nics}/${each.key}-nic"
    ip_configuration = "ipv4"
    backend_pools    = [load_balancer.site.backend_pool.vms["v4"]]
  }

  network_interface "v6" {
    id               = "${local.nics}/${each.key}-nic"
    ip_configuration = "ipv6"
    backend_pools    = [load_balancer.site.backend_pool.vms["v6"]]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
