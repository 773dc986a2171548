# Terraform keeps the load balancer; plimsoll reads it and gives each VM what its rules need. It never writes to the load
# balancer, and who is in the pool is Terraform's too.

plimsoll {
  required_version = ">= 0.1"
  deployment       = "guests-of-terraform"

  backend "local" {
    path = "guests-of-terraform.plimsoll.json"
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
  nics = "/subscriptions/${var.subscription_id}/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces"
}

data "load_balancer" "web" {
  name           = "web"
  resource_group = "rg-web"

  # A rule that Terraform is about to add: the VMs are ready before it is. Once Terraform has removed a rule, take it out
  # here as well, and the VMs lose what it needed.
  expect {
    rule "purple" {
      frontend      = "purple"
      backend_pools = ["vms"]
      probe         = "http"
      protocol      = "Tcp"
      frontend_port = 80
      backend_port  = 80
      floating_ip   = true
    }
  }
}

guest "vm" {
  for_each = toset(["vm1", "vm2"])

  os = "linux"

  network_interface "main" {
    id               = "${local.nics}/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [data.load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = "${each.key}.internal"
    user = "azureuser"
  }
}
