# A scale set: its instances come and go, so nobody declares each. One guest stands for all of them while its script is
# printed (`--var script=true`); run at every boot, that script gives a fresh instance what the rules need.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "scale-set"

  backend "local" {
    path = "scale-set.plimsoll.json"
  }
}

provider "azure" {
  subscription_id = var.subscription_id
}

variable "subscription_id" {
  type    = string
  default = "00000000-0000-0000-0000-000000000000"
}

variable "script" {
  type        = bool
  default     = false
  description = "Declare the guest that stands for an instance; only `guest script` needs it."
}

public_ip "web" {
  resource_group = "rg-web"
  location       = "westeurope"
  lab_address    = "65.52.9.1"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "web" {
    public_ip = public_ip.web
  }

  # The scale set's model names this pool: each instance is in it from the moment it exists.
  backend_pool "instances" {}

  # It has to stay down until the address is there, for the script runs later than that. On the VM's own address it does:
  # the firewall lets Azure's probes in only once the script has run.
  probe "http" {
    protocol     = "Http"
    port         = 8080
    request_path = "/healthz"
  }

  rule "web" {
    frontend              = frontend.web
    backend_pools         = [backend_pool.instances]
    probe                 = probe.http
    protocol              = "Tcp"
    frontend_port         = 80
    backend_port          = 80
    floating_ip           = true
    disable_outbound_snat = true
  }
}

guest "web" {
  for_each = toset(var.script ? ["instance"] : [])

  os = "linux"

  # Nobody reads it: a uniform scale set's instances have no network interface that can be written.
  network_interface "main" {
    id               = "/subscriptions/${var.subscription_id}/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/instance-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.instances]
  }

  connection "local" {}
}
