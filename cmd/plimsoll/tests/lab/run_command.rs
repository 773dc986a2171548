//! Guests through the lab's Resource Manager instead of the lab's own way: how Run Command is used against Azure.

use crate::support::{Answer, Folder, namespaces};

const TEXT: &str = r#"
plimsoll {
  deployment = "by-azure"
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {
    subnet                = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/net/subnets/web"
    private_ip_address    = "10.0.0.201"
    private_ip_allocation = "Static"
  }

  backend_pool "vms" {}

  probe "http" {
    protocol     = "Http"
    port         = 8080
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
}

guest "vm" {
  for_each = { vm1 = false, vm2 = true }

  os = "linux"

  network_interface "main" {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/${each.key}-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  connection "run_command" {
    managed = each.value
  }
}
"#;

fn by_azure(folder: &Folder, arguments: &[&str]) -> Answer {
    folder.lab_with(arguments, &[("PLIMSOLL_LAB_RUN_COMMAND", "1")])
}

#[test]
fn guests_are_read_and_written_by_the_action_and_by_managed_run_commands() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(TEXT);
    let plan = by_azure(&folder, &["plan"]).exits(0).stdout;
    assert!(plan.contains("managed run command"), "{plan}");
    by_azure(&folder, &["apply", "--auto-approve"]).exits(0);
    for guest in ["vm1", "vm2"] {
        let held = folder.inside(guest, "ip -o addr show dev lo");
        assert!(held.contains("10.0.0.201/32"), "{held}");
    }
    by_azure(&folder, &["plan", "--detailed-exitcode"]).exits(0);
    let sent = folder.requests();
    let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
    let machine = "Microsoft.Compute/virtualMachines/vm";
    let action = format!("POST {machine}.vm1/runCommand");
    let managed = format!("PUT {machine}.vm2/runCommands/plimsoll-by-azure");
    let gone = managed.replace("PUT", "DELETE");
    for wanted in [&action, &managed, &gone] {
        assert!(sent.contains(&wanted.as_str()), "{wanted}: {sent:#?}");
    }
    for unwanted in [action.replace("vm1", "vm2"), managed.replace("vm2", "vm1")] {
        assert!(!sent.contains(&unwanted.as_str()), "{unwanted}: {sent:#?}");
    }
}
