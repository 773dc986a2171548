variable "rules" {
  type = map(object({
    port     = number
    floating = optional(bool, true)
    guests   = optional(list(string), ["vm1"])
  }))
  default = {
    green  = { port = 80 }
    purple = { port = "443", floating = false, guests = null }
  }
}
variable "names" {
  type    = list(string)
  default = ["b", "a"]
}
variable "password" {
  type      = string
  default   = "hunter2"
  sensitive = true
}
variable "absent" {
  type    = list(string)
  default = null
}
locals {
  mixed = [1, "two", { three = 3 }]
}
resource "terraform_data" "u" {}
