provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
}

import {
  to = public_ip.green
  id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/publicIPAddresses/other"
}
