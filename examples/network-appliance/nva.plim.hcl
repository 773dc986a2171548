# Two network virtual appliances with two NICs each: published services arrive through a public load balancer, and the
# virtual network sends its outbound traffic to an internal one by a user-defined route.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "network-appliance"

  backend "local" {
    path = "network-appliance.plimsoll.json"
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
  network = "/subscriptions/${var.subscription_id}/resourceGroups/rg-hub/providers/Microsoft.Network"
}

public_ip "web" {
  resource_group = "rg-hub"
  location       = "westeurope"
  lab_address    = "65.52.5.1"
}

load_balancer "outside" {
  resource_group = "rg-hub"
  location       = "westeurope"

  # The appliance matches the frontend's address in a virtual IP of its own: no loopback address, and nothing listens.
  frontend "web" {
    public_ip  = public_ip.web
    guest_mode = "none"
  }

  backend_pool "outside" {}

  probe "appliance" {
    protocol            = "Tcp"
    port                = 8008
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "web" {
    frontend                = frontend.web
    backend_pools           = [backend_pool.outside]
    probe                   = probe.appliance
    protocol                = "Tcp"
    frontend_port           = 80
    backend_port            = 80
    floating_ip             = true
    idle_timeout_in_minutes = 4
    disable_outbound_snat   = true
  }
}

load_balancer "inside" {
  resource_group = "rg-hub"
  location       = "westeurope"

  # The next hop of the routes: packets arrive with their final destination, so that no guest needs this address.
  frontend "next_hop" {
    subnet                = "${local.network}/virtualNetworks/vnet-hub/subnets/inside"
    private_ip_address    = "10.0.0.200"
    private_ip_allocation = "Static"
    guest_mode            = "none"
  }

  backend_pool "inside" {}

  probe "appliance" {
    protocol            = "Tcp"
    port                = 8008
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "everything" {
    frontend      = frontend.next_hop
    backend_pools = [backend_pool.inside]
    probe         = probe.appliance
    protocol      = "All"
    frontend_port = 0
    backend_port  = 0
    floating_ip   = true
  }
}

guest "nva" {
  for_each = toset(["nva1", "nva2"])

  os = "linux"

  network_interface "outside" {
    id               = "${local.network}/networkInterfaces/${each.key}-outside"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.outside.backend_pool.outside]
  }

  network_interface "inside" {
    id               = "${local.network}/networkInterfaces/${each.key}-inside"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.inside.backend_pool.inside]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
