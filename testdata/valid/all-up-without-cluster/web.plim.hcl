provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
  sku            = "Standard"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"
  sku            = "Standard"

  frontend "green" {
    public_ip = public_ip.green
  }

  backend_pool "vms" {}

  probe "health" {
    protocol                     = "Tcp"
    port                         = 8080
    no_healthy_backends_behavior = "AllProbedUp"
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
