# Two availability group listeners of one SQL Server cluster behind an internal load balancer.
# The Windows cluster owns both addresses and moves them; plimsoll opens the firewall for them and watches who holds what.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "sql-always-on"

  backend "local" {
    path = "sql-always-on.plimsoll.json"
  }
}

provider "azure" {
  subscription_id = var.subscription_id
}

variable "subscription_id" {
  type    = string
  default = "00000000-0000-0000-0000-000000000000"
}

# The lab runs Linux guests only: there, say --var os=linux and move the addresses by hand.
variable "os" {
  type    = string
  default = "windows"
}

locals {
  network = "/subscriptions/${var.subscription_id}/resourceGroups/rg-sql/providers/Microsoft.Network"
  subnet  = "${local.network}/virtualNetworks/vnet-sql/subnets/sql"

  # Every listener has an address and a probe port of its own; the cluster's IP resource has both as Address and ProbePort.
  listeners = {
    orders  = { address = "10.0.0.100", probe_port = 59999 }
    billing = { address = "10.0.0.101", probe_port = 59998 }
  }
}

load_balancer "sql" {
  resource_group = "rg-sql"
  location       = "westeurope"

  frontend "listener" {
    for_each = local.listeners

    name                  = each.key
    subnet                = local.subnet
    private_ip_address    = each.value.address
    private_ip_allocation = "Static"
    guest_mode            = "cluster"
  }

  backend_pool "nodes" {}

  # Only the node that holds the address opens the port: the other refuses the probe for ever, and that is healthy.
  probe "listener" {
    for_each = local.listeners

    name                = each.key
    protocol            = "Tcp"
    port                = each.value.probe_port
    interval_in_seconds = 5
  }

  rule "listener" {
    for_each = local.listeners

    name          = each.key
    frontend      = frontend.listener[each.key]
    backend_pools = [backend_pool.nodes]
    probe         = probe.listener[each.key]
    protocol      = "Tcp"
    frontend_port = 1433
    backend_port  = 1433
    floating_ip   = true
  }
}

guest "sql" {
  for_each = toset(["sql1", "sql2"])

  os = var.os

  network_interface "main" {
    id               = "${local.network}/networkInterfaces/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.sql.backend_pool.nodes]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
