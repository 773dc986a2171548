# Two web sites on one port of the same two VMs, as on the Microsoft page "Floating IP configuration":
# each rule delivers to its frontend's own address, so green and purple can both use port 80.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "floating-ip"

  backend "local" {
    path = "floating-ip.plimsoll.json"
  }
}

provider "azure" {
  subscription_id = var.subscription_id
}

variable "subscription_id" {
  type    = string
  default = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
  lab_address    = "65.52.0.1"
}

public_ip "purple" {
  resource_group = "rg-web"
  location       = "westeurope"
  lab_address    = "65.52.0.2"
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

  # Health probes always go to the VM's own address, also for floating IP rules.
  probe "http" {
    protocol     = "Http"
    port         = 8081
    request_path = "/healthz"
  }

  rule "green" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.http
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 80
    floating_ip   = true
  }

  rule "purple" {
    frontend      = frontend.purple
    backend_pools = [backend_pool.vms]
    probe         = probe.http
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 80
    floating_ip   = true
  }

  # Another port inside the guest: the frontend's address stays the destination.
  rule "alt" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.http
    protocol      = "Tcp"
    frontend_port = 8000
    backend_port  = 8080
    floating_ip   = true
  }

  rule "dns" {
    frontend      = frontend.purple
    backend_pools = [backend_pool.vms]
    probe         = probe.http
    protocol      = "Udp"
    frontend_port = 53
    backend_port  = 53
    floating_ip   = true
  }

  # Floating IP off: packets arrive at the VM's own address.
  rule "plain" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.http
    protocol      = "Tcp"
    frontend_port = 81
    backend_port  = 81
  }
}

# Without an outbound rule or a NAT gateway, the VMs' own connections leave from the frontends' addresses too.
accept "PL0175" {
  reason = "The sites only answer; nothing in the VMs connects out from a frontend's address."
}

guest "vm1" {
  os = "linux"

  network_interface "main" {
    id               = "/subscriptions/${var.subscription_id}/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/vm1-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = "vm1.internal"
    user = "azureuser"
  }
}

guest "vm2" {
  os = "linux"

  network_interface "main" {
    id               = "/subscriptions/${var.subscription_id}/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/vm2-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = "vm2.internal"
    user = "azureuser"
  }
}
