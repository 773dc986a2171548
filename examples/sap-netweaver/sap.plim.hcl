# SAP on Pacemaker, as Microsoft's guides set it up: ASCS and ERS share one load balancer and one pool with two HA-ports
# rules; HANA has a load balancer of its own. Pacemaker owns every address.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "sap-nw1"

  backend "local" {
    path = "sap-netweaver.plimsoll.json"
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
  network = "/subscriptions/${var.subscription_id}/resourceGroups/rg-sap/providers/Microsoft.Network"
  subnet  = "${local.network}/virtualNetworks/vnet-sap/subnets/sap"

  # An HA-ports rule does not say what the guests serve: these are the ports of instance 00 (ASCS) and 02 (ERS).
  central_services = {
    ascs = { address = "10.0.0.7", probe_port = 62000, ports = [3200, 3600, 3900, 8100, 50013, 50014, 50016] }
    ers  = { address = "10.0.0.8", probe_port = 62102, ports = [3202, 3302, 50213, 50214, 50216] }
  }
}

load_balancer "central_services" {
  resource_group = "rg-sap"
  location       = "westeurope"

  frontend "instance" {
    for_each = local.central_services

    name                  = each.key
    subnet                = local.subnet
    private_ip_address    = each.value.address
    private_ip_allocation = "Static"
    zones                 = ["1", "2", "3"]
    guest_mode            = "cluster"
  }

  backend_pool "nodes" {}

  # The resource agent azure-lb opens the port where the instance runs.
  probe "instance" {
    for_each = local.central_services

    name                = each.key
    protocol            = "Tcp"
    port                = each.value.probe_port
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "instance" {
    for_each = local.central_services

    name                    = each.key
    frontend                = frontend.instance[each.key]
    backend_pools           = [backend_pool.nodes]
    probe                   = probe.instance[each.key]
    protocol                = "All"
    frontend_port           = 0
    backend_port            = 0
    floating_ip             = true
    idle_timeout_in_minutes = 30
    guest_ports             = each.value.ports
  }
}

load_balancer "hana" {
  resource_group = "rg-sap"
  location       = "westeurope"

  frontend "primary" {
    subnet                = local.subnet
    private_ip_address    = "10.0.0.13"
    private_ip_allocation = "Static"
    zones                 = ["1", "2", "3"]
    guest_mode            = "cluster"
  }

  backend_pool "nodes" {}

  probe "primary" {
    protocol            = "Tcp"
    port                = 62503
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "primary" {
    frontend                = frontend.primary
    backend_pools           = [backend_pool.nodes]
    probe                   = probe.primary
    protocol                = "All"
    frontend_port           = 0
    backend_port            = 0
    floating_ip             = true
    idle_timeout_in_minutes = 30
    guest_ports             = [30313, 30315, 30340, 30341, 30342]
  }
}

guest "cs" {
  for_each = toset(["cs1", "cs2"])

  os = "linux"

  network_interface "main" {
    id               = "${local.network}/networkInterfaces/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.central_services.backend_pool.nodes]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}

guest "hana" {
  for_each = toset(["hana1", "hana2"])

  os = "linux"

  network_interface "main" {
    id               = "${local.network}/networkInterfaces/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.hana.backend_pool.nodes]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
