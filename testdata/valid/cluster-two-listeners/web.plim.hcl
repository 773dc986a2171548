provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web"
    private_ip_address = "10.0.0.7"
    guest_mode         = "cluster"
  }

  frontend "purple" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web"
    private_ip_address = "10.0.0.8"
    guest_mode         = "cluster"
  }

  backend_pool "vms" {}

  probe "one" {
    protocol = "Tcp"
    port     = 62000
  }

  probe "two" {
    protocol = "Tcp"
    port     = 62001
  }

  rule "green" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.one
    protocol      = "Tcp"
    frontend_port = 1433
    backend_port  = 1433
    floating_ip   = true
  }

  rule "purple" {
    frontend      = frontend.purple
    backend_pools = [backend_pool.vms]
    probe         = probe.two
    protocol      = "Tcp"
    frontend_port = 1433
    backend_port  = 1433
    floating_ip   = true
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
