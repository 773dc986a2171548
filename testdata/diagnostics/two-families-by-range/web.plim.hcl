provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
}

public_ip "purple" {
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

  frontend "purple" {
    public_ip = public_ip.purple
  }

  backend_pool "vms" {}

  probe "health" {
    protocol = "Tcp"
    port     = 8080
  }

  rule "green" {
    frontend              = frontend.green
    backend_pools         = [backend_pool.vms]
    probe                 = probe.health
    protocol              = "Tcp"
    frontend_port         = 80
    backend_port          = 80
    floating_ip           = true
    disable_outbound_snat = true
  }

  inbound_nat_rule "ssh" {
    frontend                  = frontend.purple
    backend_pool              = backend_pool.vms
    protocol                  = "Tcp"
    frontend_port_range_start = 2201
    frontend_port_range_end   = 2210
    backend_port              = 22
  }
}

guest "vm1" {
  os = "linux"

  network_interface "main" {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/vm1-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = "vm1.internal"
  }
}
