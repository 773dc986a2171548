provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

load_balancer "web" {
  sku            = "Basic"
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web"
    private_ip_address = "10.0.0.7"
    zones              = ["1"]
  }

  backend_pool "vms" {}

  probe "health" {
    protocol = "Tcp"
    port     = 8080
  }

  rule "green" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.health
    protocol      = "All"
    frontend_port = 0
    backend_port  = 0
    floating_ip   = true
    guest_ports   = [80]
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
