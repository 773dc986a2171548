//! The language's blocks about the past and about others, against the simulated world.

use crate::world::{World, configuration};
use plimsoll_core::model::guest::EntryKey;
use plimsoll_core::model::{ArmId, Attr, Item, ItemKind, LoadBalancer, Protocol};
use plimsoll_core::plan::{Action, Mode};

const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

fn address(text: &str) -> EntryKey {
    text.parse().unwrap()
}

#[test]
fn a_moved_load_balancer_is_not_written_and_keeps_what_is_recorded() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.writes.clear());
    let moved = EXAMPLE
        .replace(
            "load_balancer \"web\" {",
            "load_balancer \"front\" {\n  name = \"web\"",
        )
        .replace("load_balancer.web.", "load_balancer.front.")
        + "\nmoved {\n  from = load_balancer.web\n  to   = load_balancer.front\n}\n";
    let plan = world.apply(&moved);
    assert_eq!(
        world.with(|w| w.writes.clone()),
        Vec::<String>::new(),
        "{:#?}",
        plan.steps
    );
    assert!(
        world
            .state()
            .unwrap()
            .resources
            .keys()
            .any(|a| a.to_string() == "load_balancer.front")
    );
    assert!(
        !world
            .state()
            .unwrap()
            .resources
            .keys()
            .any(|a| a.to_string() == "load_balancer.web")
    );
    let again = world.plan(&configuration(&moved), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
}

#[test]
fn what_is_removed_without_destroy_keeps_serving() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.writes.clear());
    let head = EXAMPLE.find("guest \"vm2\"").unwrap();
    let without = EXAMPLE[..head].to_owned()
        + "removed {\n  from = guest.vm2\n  lifecycle {\n    destroy = false\n  }\n}\n";
    let plan = world.apply(&without);
    let change = plan
        .changes
        .iter()
        .find(|c| c.addr.to_string() == "guest.vm2")
        .unwrap();
    assert_eq!(change.action, Action::Forget);
    assert_eq!(world.with(|w| w.writes.clone()), Vec::<String>::new());
    let served = world.with(|w| w.connect("65.52.0.1", 80, Protocol::Tcp));
    assert!(
        served.len() == 2 && served.iter().all(|(_, a)| a.is_ok()),
        "{served:?}"
    );
}

#[test]
fn prevent_destroy_blocks_a_destroy() {
    let world = World::of_the_example();
    let kept = EXAMPLE.replace(
        "load_balancer \"web\" {",
        "load_balancer \"web\" {\n  lifecycle {\n    prevent_destroy = true\n  }\n",
    );
    world.apply(&kept);
    let plan = world.plan(&configuration(&kept), Mode::Destroy);
    assert!(!plan.applyable);
    assert!(
        plan.blocked
            .iter()
            .any(|b| b.starts_with("load_balancer.web would be destroyed")),
        "{:?}",
        plan.blocked
    );
}

#[test]
fn ignored_attributes_keep_what_someone_else_set() {
    let world = World::of_the_example();
    let ignoring = EXAMPLE.replace("rule \"green\" {", "rule \"green\" {\n    lifecycle {\n      ignore_changes = [idle_timeout_in_minutes]\n    }\n");
    world.apply(&ignoring);
    world.with(|w| {
        let web = w.load_balancers.values_mut().next().unwrap();
        let rules = web.items.get_mut(&ItemKind::Rule).unwrap();
        rules["green"]
            .attributes
            .insert("idle_timeout_in_minutes".into(), Attr::Int(15));
    });
    let plan = world.plan(&configuration(&ignoring), Mode::Apply);
    assert!(!plan.has_changes(), "{:#?}", plan.steps);
    assert!(plan.drift.is_empty(), "{:#?}", plan.drift);
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert!(plan.has_changes() && plan.drift.len() == 1);
}

#[test]
fn tags_that_were_applied_and_changed_are_drift_until_they_are_as_declared() {
    let world = World::of_the_example();
    let tagged = |team: &str| {
        let tags = format!("\n  tags = {{ team = \"{team}\" }}");
        ["public_ip \"green\" {", "load_balancer \"web\" {"]
            .iter()
            .fold(EXAMPLE.to_owned(), |text, block| {
                text.replace(block, &format!("{block}{tags}"))
            })
    };
    world.apply(&tagged("web"));
    let set = |name: &str, value: Attr| {
        world.with(|w| {
            let web = w.load_balancers.values_mut().next().unwrap();
            web.attributes.insert(name.to_owned(), value.clone());
            let mut all = w.public_ips.values_mut();
            let green = all.find(|ip| ip.id.name() == "green").unwrap();
            green.attributes.insert(name.to_owned(), value);
        });
    };
    set(
        "tags",
        Attr::Map([("team".to_owned(), "other".to_owned())].into()),
    );
    let drift = |text: &str| -> Vec<String> {
        let plan = world.plan(&configuration(text), Mode::Apply);
        let lines = plan.drift.iter().map(|d| format!("{} {}", d.addr, d.what));
        lines.collect()
    };
    let moved = "tags is {team = other}, was {team = web}";
    assert_eq!(
        drift(&tagged("web")),
        [
            format!("public_ip.green {moved}"),
            format!("load_balancer.web {moved}")
        ]
    );
    // Nobody here declares them any more.
    assert_eq!(drift(EXAMPLE), Vec::<String>::new());
    // The declaration followed: Azure is not written, and the state learns of it.
    world.with(|w| w.writes.clear());
    world.apply(&tagged("other"));
    assert_eq!(world.with(|w| w.writes.clone()), Vec::<String>::new());
    assert_eq!(drift(&tagged("other")), Vec::<String>::new());
    // It was changed, and apply changes it back.
    world.apply(&tagged("web"));
    assert!(!world.with(|w| w.writes.is_empty()));
    assert_eq!(drift(&tagged("web")), Vec::<String>::new());
}

#[test]
fn an_import_of_what_does_not_exist_blocks() {
    let world = World::of_the_example();
    let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web";
    let text = format!("{EXAMPLE}\nimport {{\n  to = load_balancer.web\n  id = \"{id}\"\n}}\n");
    let plan = world.plan(&configuration(&text), Mode::Apply);
    assert!(
        plan.blocked
            .iter()
            .any(|b| b.contains("cannot be imported")),
        "{:?}",
        plan.blocked
    );
}

/// The example's load balancer, as someone else made it.
fn foreign(world: &World) -> LoadBalancer {
    world.with(|w| w.load_balancers.values().next().unwrap().clone())
}

const DATA: &str = r#"
provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

data "load_balancer" "web" {
  resource_group = "rg-web"
}

guest "vm1" {
  os = "linux"
  network_interface "main" {
    id            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/vm1-nic"
    backend_pools = [data.load_balancer.web.backend_pool.vms]
  }
  connection "local" {}
}
"#;

/// A world in which Terraform made the load balancer and no guest is ready.
fn of_terraform() -> World {
    let made = World::of_the_example();
    made.apply(EXAMPLE);
    let world = World::of_the_example();
    let lb = foreign(&made);
    let public_ips = made.with(|w| w.public_ips.clone());
    world.with(|w| {
        w.load_balancers.insert(lb.id.clone(), lb);
        w.public_ips = public_ips;
    });
    world
}

#[test]
fn a_data_load_balancer_is_never_written_and_its_guests_are_made_ready() {
    let world = of_terraform();
    let plan = world.apply(DATA);
    assert_eq!(world.with(|w| w.writes.clone()), ["script vm1"]);
    assert!(
        plan.findings.iter().any(|f| f.code == "PL0330"),
        "{:#?}",
        plan.findings
    );
    world.with(|w| {
        assert!(
            w.guests["vm1"]
                .holds("65.52.0.1".parse().unwrap())
                .is_some()
        );
        assert!(
            w.guests["vm1"]
                .holds("65.52.0.2".parse().unwrap())
                .is_some()
        );
        w.writes.clear();
    });
    assert!(!world.plan(&configuration(DATA), Mode::Apply).has_changes());
    // Terraform takes the rules of the second address away: only then does the guest lose it.
    world.with(|w| {
        let lb = w.load_balancers.values_mut().next().unwrap();
        for name in ["purple", "dns"] {
            lb.remove(ItemKind::Rule, name);
        }
    });
    world.apply(DATA);
    world.with(|w| {
        assert_eq!(w.writes, ["script vm1"]);
        assert!(
            w.guests["vm1"]
                .holds("65.52.0.2".parse().unwrap())
                .is_none()
        );
        assert!(
            w.guests["vm1"]
                .holds("65.52.0.1".parse().unwrap())
                .is_some()
        );
    });
}

#[test]
fn a_floating_nat_rule_reaches_the_guest_that_azure_says() {
    let world = World::of_the_example();
    let with_nat = EXAMPLE.replace(
        "  rule \"green\" {",
        "  inbound_nat_rule \"ssh\" {\n    frontend = frontend.purple\n    protocol = \"Tcp\"\n    frontend_port = 2222\n    backend_port = 2222\n    floating_ip = true\n  }\n\n  rule \"green\" {",
    );
    world.apply(&with_nat);
    let key = address("firewall tcp port 2222 to 65.52.0.2");
    world.with(|w| {
        assert!(!w.guests["vm1"].state_of(&key).live);
        let nic = w
            .nics
            .keys()
            .next()
            .unwrap()
            .child("ipConfigurations", "ipconfig1");
        let lb = w.load_balancers.values_mut().next().unwrap();
        lb.nat_targets.insert("ssh".into(), nic);
    });
    world.apply(&with_nat);
    world.with(|w| {
        assert!(w.guests["vm1"].state_of(&key).live);
        assert!(
            !w.guests["vm2"].state_of(&key).live,
            "the rule leads to one NIC"
        );
    });
}

#[test]
fn an_unknown_item_of_a_pool_is_kept() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let id: ArmId = world.with(|w| w.load_balancers.keys().next().unwrap().clone());
    world.with(|w| {
        let members = [("a".to_owned(), "10.0.0.9".to_owned())];
        let pool = Item::new("others").with("addresses", Attr::Map(members.into()));
        w.load_balancers
            .get_mut(&id)
            .unwrap()
            .set(ItemKind::BackendPool, pool);
    });
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    let web = plan
        .changes
        .iter()
        .find(|c| c.addr.to_string() == "load_balancer.web")
        .unwrap();
    assert_eq!(web.foreign.len(), 1);
}

/// Someone else manages prefixes: a frontend that stands on one that is not there would only be refused by Azure.
#[test]
fn a_prefix_that_does_not_exist_holds_the_load_balancer_up() {
    let with_prefix = EXAMPLE.replacen(
        "  backend_pool \"vms\" {}",
        "  frontend \"out\" {\n    public_ip_prefix = data.public_ip_prefix.out\n  }\n\n  backend_pool \"vms\" {}",
        1,
    ) + "\ndata \"public_ip_prefix\" \"out\" {\n  resource_group = \"rg-net\"\n}\n";
    let world = World::of_the_example();
    let plan = world.plan(&configuration(&with_prefix), Mode::Apply);
    assert!(!plan.applyable);
    let blocked = plan.blocked.join("\n");
    let id = "/resourceGroups/rg-net/providers/Microsoft.Network/publicIPPrefixes/out";
    assert!(
        blocked.contains(&format!("{id}, which does not exist; create it first")),
        "{blocked}"
    );
}
