//! Everybody else: who was there before us, who edits by hand in the middle of things, and another deployment on the same
//! machines.

use super::play::web;
use super::scenario::GUESTS;
use crate::world::{Inner, SUBSCRIPTION, World, configuration, network, set};
use plimsoll_core::model::guest::{EntryKey, FirewallRule, Target};
use plimsoll_core::model::*;
use plimsoll_core::plan::Mode;

pub fn admin_opens(w: &mut Inner, name: &str, destination: &str, port: u16) {
    let destination: std::net::IpAddr = destination.parse().unwrap();
    let rules = &mut w.guests.get_mut(name).unwrap().firewall.base[0].rules;
    rules.push(FirewallRule {
        protocol: Some(Protocol::Tcp),
        sources: Vec::new(),
        destinations: vec![destination.into()],
        ports: vec![(port, port)],
        uncertain: false,
        target: Target::Accept,
        ours: false,
        text: format!("tcp dport {port} ip daddr {destination} accept"),
        name: None,
    });
}

pub fn admin_holds(w: &mut Inner, name: &str, address: &str) {
    let key: EntryKey = format!("address {address}").parse().unwrap();
    set(w.guests.get_mut(name).unwrap(), &key, true);
    w.admins.insert((name.to_owned(), key.to_string()));
}

fn text(value: &str) -> Attr {
    Attr::Text(value.to_owned())
}

fn public(w: &mut Inner, name: &str, address: &str) -> ArmId {
    let id = network("publicIPAddresses", name);
    let ip = PublicIp {
        id: id.clone(),
        attributes: Attributes::new(),
        address: Some(address.parse().unwrap()),
        failed: false,
        rest: serde_json::Map::new(),
    };
    w.public_ips.insert(id.clone(), ip);
    id
}

fn rule(lb: &LoadBalancer, name: &str, frontend: &str, pool: &str, ports: (i64, i64)) -> Item {
    let pool = lb.id_of(ItemKind::BackendPool, pool);
    Item::new(name)
        .with(
            "frontend",
            text(lb.id_of(ItemKind::Frontend, frontend).as_str()),
        )
        .with("backend_pools", Attr::List(vec![pool.to_string()]))
        .with("protocol", text("Tcp"))
        .with("frontend_port", Attr::Int(ports.0))
        .with("backend_port", Attr::Int(ports.1))
}

/// Another load balancer that the same machines serve.
pub fn stranger(w: &mut Inner) {
    let ip = public(w, "x-ip", "65.52.0.9");
    let mut lb = LoadBalancer::new(network("loadBalancers", "x-lb"));
    lb.set(
        ItemKind::Frontend,
        Item::new("x-front").with("public_ip", text(ip.as_str())),
    );
    lb.set(ItemKind::BackendPool, Item::new("x-pool"));
    let served = rule(&lb, "x-rule", "x-front", "x-pool", (80, 8080));
    lb.set(ItemKind::Rule, served);
    let pool = lb.id_of(ItemKind::BackendPool, "x-pool");
    w.load_balancers.insert(lb.id.clone(), lb);
    for nic in w.nics.values_mut() {
        nic.ip_configurations["ipconfig1"]
            .backend_pools
            .push(pool.clone());
    }
}

pub fn shared() -> ArmId {
    network("loadBalancers", "shared")
}

/// The load balancer that the configuration only reads: a colleague's Terraform looks after it.
pub fn terraform(w: &mut Inner) {
    let ip = public(w, "shared-ip", "65.52.0.8");
    let mut lb = LoadBalancer::new(shared());
    lb.set(
        ItemKind::Frontend,
        Item::new("s-front").with("public_ip", text(ip.as_str())),
    );
    lb.set(ItemKind::BackendPool, Item::new("s"));
    let plain = rule(&lb, "s-plain", "s-front", "s", (81, 81));
    lb.set(ItemKind::Rule, plain);
    w.load_balancers.insert(lb.id.clone(), lb);
}

/// Another deployment of plimsoll, on two of the same machines: it goes all the way, alone.
pub fn other_deployment(world: &World, floating: bool) -> Option<String> {
    let text = format!(
        r#"
plimsoll {{
  deployment = "other"
}}
provider "azure" {{
  subscription_id = "{SUBSCRIPTION}"
}}
public_ip "side" {{
  resource_group = "rg-web"
  location       = "westeurope"
}}
load_balancer "side" {{
  resource_group = "rg-web"
  location       = "westeurope"
  frontend "side" {{
    public_ip = public_ip.side
  }}
  backend_pool "p" {{}}
  probe "health" {{
    protocol = "Tcp"
    port     = 8081
  }}
  rule "q" {{
    frontend      = frontend.side
    backend_pools = [backend_pool.p]
    probe         = probe.health
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 80
    floating_ip   = {floating}
  }}
}}
guest "vm1" {{
  os = "linux"
  network_interface "main" {{
    id               = "{}"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.side.backend_pool.p]
  }}
  connection "ssh" {{
    host = "vm1.internal"
  }}
}}
"#,
        network("networkInterfaces", "vm1-nic")
    );
    let configuration = configuration(&text);
    let swap = |w: &mut Inner| std::mem::swap(&mut w.saved, &mut w.elsewhere);
    world.with(swap);
    let plan = world.plan(&configuration, Mode::Apply);
    let done = (plan.applyable && !plan.steps.is_empty()).then(|| world.run(&plan));
    world.with(swap);
    let (outcome, _) = done?;
    Some(format!(
        "the other deployment, with floating IP {floating}: {} of {} steps",
        outcome.done,
        plan.steps.len()
    ))
}

/// Someone else does something by hand; what, if it was anything at all.
pub fn meddle(w: &mut Inner, number: usize) -> Option<String> {
    let name = GUESTS[number % 3];
    let facts = w.guests.get_mut(name)?;
    match number / 3 % 9 {
        0 => {
            let ours = facts.record()?.entries.iter();
            let mine = ours
                .filter(|(_, e)| e.claims.iter().all(|c| c.deployment == "model"))
                .map(|(key, _)| key.clone());
            let key = mine.into_iter().next()?;
            set(facts, &key, false);
            Some(format!("takes {key} away in {name}"))
        }
        1 => {
            admin_opens(w, name, "65.52.0.2", 80);
            Some(format!("opens a port in {name}"))
        }
        2 => {
            let lb = w.load_balancers.get_mut(&web())?;
            let rule = lb.items.get_mut(&ItemKind::Rule)?.values_mut().next()?;
            rule.attributes
                .insert("idle_timeout_in_minutes".to_owned(), Attr::Int(15));
            Some(format!("changes rule {:?}", rule.name))
        }
        3 => {
            let lb = w.load_balancers.get_mut(&web())?;
            let (rule, _) = lb.items.get_mut(&ItemKind::Rule)?.shift_remove_index(0)?;
            Some(format!("deletes rule {rule:?}"))
        }
        4 => {
            let nic = w
                .nics
                .values_mut()
                .find(|nic| nic.id.name().starts_with(name))?;
            let pools = &mut nic.ip_configurations["ipconfig1"].backend_pools;
            let index = pools.iter().position(|pool| pool.parent() == Some(web()))?;
            let pool = pools.remove(index);
            Some(format!("takes {name} out of {}", pool.name()))
        }
        5 => {
            let ip = public(w, "x-ip", "65.52.0.9");
            let lb = w.load_balancers.get_mut(&web())?;
            let pool = lb.of_kind(ItemKind::BackendPool).next()?.name.clone();
            lb.set(
                ItemKind::Frontend,
                Item::new("x-front").with("public_ip", text(ip.as_str())),
            );
            let rule = rule(lb, "x-rule", "x-front", &pool, (443, 81))
                .with("floating_ip", Attr::Bool(true));
            lb.set(ItemKind::Rule, rule);
            Some(format!("adds a rule on pool {pool}"))
        }
        6 => {
            let key: EntryKey = "address 65.52.0.3".parse().unwrap();
            if facts.state_of(&key).live || !facts.state_of(&key).claims.is_empty() {
                return None;
            }
            admin_holds(w, name, "65.52.0.3");
            Some(format!("gives {name} {key}"))
        }
        7 => {
            // A colleague's Terraform adds or takes away a rule, or a member.
            let lb = w.load_balancers.get_mut(&shared())?;
            if lb.item(ItemKind::Rule, "s-float").is_some() {
                lb.remove(ItemKind::Rule, "s-float");
                return Some("Terraform takes s-float away".to_owned());
            }
            let rule =
                rule(lb, "s-float", "s-front", "s", (80, 80)).with("floating_ip", Attr::Bool(true));
            lb.set(ItemKind::Rule, rule);
            Some("Terraform adds s-float".to_owned())
        }
        _ => {
            let lb = w.load_balancers.get(&web())?;
            let single = lb
                .of_kind(ItemKind::InboundNatRule)
                .find(|item| item.text("backend_pool").is_none())?;
            let target = network("networkInterfaces", &format!("{name}-nic"))
                .child("ipConfigurations", "ipconfig1");
            let rule = single.name.clone();
            w.nat_targets.insert((web(), rule.clone()), target);
            Some(format!("ties NAT rule {rule} to {name}"))
        }
    }
}
