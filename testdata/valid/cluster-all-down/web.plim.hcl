provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "ascs" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web"
    private_ip_address = "10.0.0.7"
    guest_mode         = "cluster"
  }

  frontend "ers" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web"
    private_ip_address = "10.0.0.8"
    guest_mode         = "cluster"
  }

  backend_pool "vms" {}

  probe "ascs" {
    protocol                     = "Tcp"
    port                         = 62000
    interval_in_seconds          = 5
    probe_threshold              = 2
    no_healthy_backends_behavior = "AllProbedDown"
  }

  probe "ers" {
    protocol            = "Tcp"
    port                = 62102
    interval_in_seconds = 5
    probe_threshold     = 2
  }

  rule "ascs" {
    frontend                = frontend.ascs
    backend_pools           = [backend_pool.vms]
    probe                   = probe.ascs
    protocol                = "All"
    frontend_port           = 0
    backend_port            = 0
    floating_ip             = true
    idle_timeout_in_minutes = 30
    guest_ports             = [3200, 3600]
  }

  rule "ers" {
    frontend                = frontend.ers
    backend_pools           = [backend_pool.vms]
    probe                   = probe.ers
    protocol                = "All"
    frontend_port           = 0
    backend_port            = 0
    floating_ip             = true
    idle_timeout_in_minutes = 30
    guest_ports             = [3202, 3302]
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
