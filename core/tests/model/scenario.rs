//! Small random configurations, as text: so the whole way from the file is part of what is tested.

use super::tape::Tape;
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
pub const GUESTS: [&str; 3] = ["vm1", "vm2", "vm3"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Loopback,
    Cluster,
    None,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub frontend: &'static str,
    pub pool: &'static str,
    pub udp: bool,
    pub frontend_port: u16,
    pub backend_port: u16,
    pub floating: bool,
    pub probe: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub frontends: BTreeMap<&'static str, Mode>,
    pub pools: Vec<&'static str>,
    pub rules: BTreeMap<&'static str, Rule>,
    /// Guest → its pools.
    pub guests: BTreeMap<&'static str, Vec<&'static str>>,
    /// Public addresses are known before they exist, as in the lab.
    pub promised: bool,
}

fn subset<T: Copy>(tape: &mut Tape, all: &[T]) -> Vec<T> {
    all.iter()
        .enumerate()
        .filter(|(index, _)| tape.pick(3) > 0 || *index == 0)
        .map(|(_, one)| *one)
        .collect()
}

impl Setup {
    pub fn random(tape: &mut Tape) -> Self {
        let mut setup = Self {
            promised: tape.pick(2) == 0,
            ..Self::default()
        };
        for name in subset(tape, &["green", "purple", "amber", "inner", "fixed"]) {
            let mode = [
                Mode::Loopback,
                Mode::Loopback,
                Mode::Loopback,
                Mode::Loopback,
                Mode::Cluster,
                Mode::None,
            ][tape.pick(6)];
            // A cluster needs an address that is known beforehand.
            let mode = if name == "inner" && mode == Mode::Cluster {
                Mode::Loopback
            } else {
                mode
            };
            setup.frontends.insert(name, mode);
        }
        setup.pools = [vec!["a"], vec!["b"], vec!["a", "b"]][tape.pick(3)].clone();
        let frontends: Vec<&str> = setup.frontends.keys().copied().collect();
        for name in ["r1", "r2", "r3", "r4"] {
            if tape.pick(4) == 0 && name != "r1" {
                continue;
            }
            let rule = Rule {
                frontend: frontends[tape.pick(frontends.len())],
                pool: setup.pools[tape.pick(setup.pools.len())],
                udp: tape.pick(4) == 3,
                frontend_port: [80, 81, 443][tape.pick(3)],
                backend_port: [80, 81, 8080][tape.pick(3)],
                floating: tape.pick(3) < 2,
                probe: tape.pick(2) == 1,
            };
            setup.rules.insert(name, rule);
        }
        for name in subset(tape, &GUESTS) {
            let pools = setup.pools.clone();
            let joined = if tape.pick(6) == 5 {
                Vec::new()
            } else {
                subset(tape, &pools)
            };
            setup.guests.insert(name, joined);
        }
        setup
    }

    /// Another configuration that is not far from this one.
    pub fn changed(&self, tape: &mut Tape) -> Self {
        let mut next = self.clone();
        for _ in 0..=tape.pick(3) {
            let names: Vec<&'static str> = next.rules.keys().copied().collect();
            match tape.pick(8) {
                0 if names.len() > 1 => {
                    next.rules.remove(names[tape.pick(names.len())]);
                }
                1 => {
                    let mut fresh = Self::random(tape);
                    if let Some((name, rule)) = fresh.rules.pop_last()
                        && next.frontends.contains_key(rule.frontend)
                        && next.pools.contains(&rule.pool)
                    {
                        next.rules.insert(name, rule);
                    }
                }
                2 => {
                    let frontends: Vec<&'static str> = next.frontends.keys().copied().collect();
                    let frontend = frontends[tape.pick(frontends.len())];
                    if let Some(rule) = names
                        .get(tape.pick(names.len()))
                        .and_then(|name| next.rules.get_mut(name))
                    {
                        rule.frontend = frontend;
                    }
                }
                3 => {
                    // The pool is replaced by another one.
                    let other = if next.pools.contains(&"a") {
                        ["a", "b"]
                    } else {
                        ["b", "a"]
                    };
                    let [old, new] = other;
                    next.pools = next
                        .pools
                        .iter()
                        .map(|p| if *p == old { new } else { *p })
                        .collect();
                    next.pools.dedup();
                    for rule in next.rules.values_mut().filter(|rule| rule.pool == old) {
                        rule.pool = new;
                    }
                    for pools in next.guests.values_mut() {
                        for pool in pools.iter_mut().filter(|pool| **pool == old) {
                            *pool = new;
                        }
                        pools.dedup();
                    }
                }
                4 => {
                    let guest = GUESTS[tape.pick(3)];
                    if next.guests.remove(guest).is_none() {
                        next.guests.insert(guest, next.pools.clone());
                    }
                }
                5 => {
                    let frontends: Vec<&'static str> = next.frontends.keys().copied().collect();
                    let name = frontends[tape.pick(frontends.len())];
                    let mode = [Mode::Loopback, Mode::None, Mode::Cluster]
                        [tape.pick(if name == "inner" { 2 } else { 3 })];
                    next.frontends.insert(name, mode);
                }
                6 => {
                    if let Some(rule) = names
                        .get(tape.pick(names.len()))
                        .and_then(|name| next.rules.get_mut(name))
                    {
                        rule.floating = !rule.floating;
                    }
                }
                _ => {
                    next = Self {
                        promised: self.promised,
                        ..Self::random(tape)
                    }
                }
            }
        }
        // A pool's guests only join what is declared.
        for pools in next.guests.values_mut() {
            pools.retain(|pool| next.pools.contains(pool));
        }
        next
    }

    pub fn mode(&self, frontend: &str) -> Option<Mode> {
        self.frontends.get(frontend).copied()
    }

    pub fn text(&self) -> String {
        let mut out = String::from("plimsoll {\n  deployment = \"model\"\n}\n");
        let _ = writeln!(
            out,
            "provider \"azure\" {{\n  subscription_id = \"{SUBSCRIPTION}\"\n}}"
        );
        let place = "  resource_group = \"rg-web\"\n  location = \"westeurope\"\n";
        for (name, address) in [
            ("green", "65.52.0.1"),
            ("purple", "65.52.0.2"),
            ("amber", "65.52.0.3"),
        ] {
            let promise = if self.promised {
                format!("  lab_address = \"{address}\"\n")
            } else {
                String::new()
            };
            let _ = writeln!(out, "public_ip \"{name}\" {{\n{place}{promise}}}");
        }
        let _ = writeln!(out, "load_balancer \"web\" {{\n{place}");
        let subnet = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/net/subnets/inside"
        );
        for (name, mode) in &self.frontends {
            let address = match *name {
                "inner" => format!("subnet = \"{subnet}\""),
                "fixed" => {
                    format!("subnet = \"{subnet}\"\n    private_ip_address = \"10.0.0.100\"")
                }
                public => format!("public_ip = public_ip.{public}"),
            };
            let mode = match mode {
                Mode::Loopback => "loopback",
                Mode::Cluster => "cluster",
                Mode::None => "none",
            };
            let _ = writeln!(
                out,
                "  frontend \"{name}\" {{\n    {address}\n    guest_mode = \"{mode}\"\n  }}"
            );
        }
        for pool in &self.pools {
            let _ = writeln!(out, "  backend_pool \"{pool}\" {{}}");
        }
        let _ = writeln!(
            out,
            "  probe \"health\" {{\n    protocol = \"Tcp\"\n    port = 8081\n  }}"
        );
        for (name, rule) in &self.rules {
            let Rule {
                frontend,
                pool,
                udp,
                frontend_port,
                backend_port,
                floating,
                probe,
            } = rule;
            let protocol = if *udp { "Udp" } else { "Tcp" };
            let probe = if *probe {
                "    probe = probe.health\n"
            } else {
                ""
            };
            let _ = writeln!(
                out,
                "  rule \"{name}\" {{\n    frontend = frontend.{frontend}\n    backend_pools = [backend_pool.{pool}]\n{probe}    \
                 protocol = \"{protocol}\"\n    frontend_port = {frontend_port}\n    backend_port = {backend_port}\n    \
                 floating_ip = {floating}\n  }}"
            );
        }
        out.push_str("}\n");
        for (name, pools) in &self.guests {
            let pools: Vec<String> = pools
                .iter()
                .map(|pool| format!("load_balancer.web.backend_pool.{pool}"))
                .collect();
            let _ = writeln!(
                out,
                "guest \"{name}\" {{\n  os = \"linux\"\n  network_interface \"main\" {{\n    id = \"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/\
                 providers/Microsoft.Network/networkInterfaces/{name}-nic\"\n    ip_configuration = \"ipconfig1\"\n    backend_pools = [{}]\n  }}\n  \
                 connection \"ssh\" {{\n    host = \"{name}.internal\"\n    user = \"azureuser\"\n  }}\n}}",
                pools.join(", ")
            );
        }
        out
    }
}
