# A scale set: its instances come and go, so nobody declares each. One guest stands for all of them, and its script, run at
# every boot, gives a fresh instance what the rules need.

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

  backend_pool "instances" {}

  # It must stay down until the address is there: an instance joins the pool before any script of it has run.
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
