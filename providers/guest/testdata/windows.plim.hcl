# One Windows guest behind a frontend of each family, with a health probe on another port.
plimsoll {
  deployment = "sql-prod"
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
}

public_ip "six" {
  resource_group = "rg-web"
  location       = "westeurope"
  version        = "IPv6"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {
    public_ip = public_ip.green
  }

  frontend "six" {
    public_ip = public_ip.six
  }

  backend_pool "vms" {}
  backend_pool "vms6" {}

  probe "health" {
    protocol = "Tcp"
    port     = 8081
  }

  rule "green" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.health
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 8080
    floating_ip   = true
  }

  rule "six" {
    frontend      = frontend.six
    backend_pools = [backend_pool.vms6]
    probe         = probe.health
    protocol      = "Udp"
    frontend_port = 53
    backend_port  = 53
    floating_ip   = true
  }
}

guest "sql1" {
  os = "windows"

  network_interface "main" {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/sql1-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  network_interface "six" {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/sql1-nic"
    ip_configuration = "ipconfig6"
    backend_pools    = [load_balancer.web.backend_pool.vms6]
  }

  connection "ssh" {
    host = "sql1.internal"
  }
}
