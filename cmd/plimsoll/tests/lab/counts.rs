use crate::support::{Folder, namespaces};

/// Azure's limit of rules on one load balancer. `range` gives 1,024 numbers at most, as Terraform's does.
const CONFIGURATION: &str = r#"
plimsoll {
  deployment = "large"
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "f" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web"
    private_ip_address = "10.0.0.201"
  }

  backend_pool "vms" {}

  probe "tcp" {
    protocol = "Tcp"
    port     = 8080
  }

  rule "r" {
    for_each = { for n in concat(range(1000), range(1000, 1500)) : format("r%04d", n) => 1000 + n }

    frontend                = frontend.f
    backend_pools           = [backend_pool.vms]
    probe                   = probe.tcp
    protocol                = "Tcp"
    frontend_port           = each.value
    backend_port            = each.value
    floating_ip             = true
    idle_timeout_in_minutes = 4
  }
}
"#;

const WEB: &str = "Microsoft.Network/loadBalancers/web";

/// The requests on network resources, with the polls of operations apart.
fn requests(folder: &Folder) -> (Vec<String>, usize) {
    let all = folder.requests().into_iter();
    let of_network = all.filter(|r| r.contains("Microsoft.Network/"));
    let (polls, rest): (Vec<String>, Vec<String>) =
        of_network.partition(|r| r.contains("/operations/"));
    (rest, polls.len())
}

#[test]
fn fifteen_hundred_rules_are_one_read_to_plan_and_one_write_to_apply() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(CONFIGURATION);
    folder.apply();
    let changed = CONFIGURATION.replace("minutes = 4", "minutes = 15");
    folder.write(&changed);
    let get = || format!("GET {WEB}");
    folder.clear_requests();
    folder.lab(&["plan", "--out", "p.plim"]).exits(0);
    assert_eq!(requests(&folder), (vec![get()], 0));
    folder.clear_requests();
    folder.lab(&["apply", "p.plim"]).exits(0);
    let (sent, polls) = requests(&folder);
    let put = format!("PUT {WEB}");
    assert_eq!(sent, [get(), get(), put, get()], "and {polls} polls");
    assert!(polls <= 20, "{polls} polls");
    folder.clear_requests();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(requests(&folder), (vec![get()], 0));
}
