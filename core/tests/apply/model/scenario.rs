//! Small random configurations, as text: so the whole way from the file is part of what is tested.

use super::tape::Tape;
use crate::world::SUBSCRIPTION;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

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

/// An inbound NAT rule: to every member of a pool at ports of their own, or to the one NIC that someone ties to it.
#[derive(Clone, Debug)]
pub struct Nat {
    pub frontend: &'static str,
    pub pool: Option<&'static str>,
    pub floating: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub frontends: BTreeMap<&'static str, Mode>,
    pub pools: Vec<&'static str>,
    pub rules: BTreeMap<&'static str, Rule>,
    pub nat: BTreeMap<&'static str, Nat>,
    /// Guest → its pools.
    pub guests: BTreeMap<&'static str, Vec<&'static str>>,
    /// Guests that shall be in the pool of a load balancer that someone else manages.
    pub shared: BTreeSet<&'static str>,
    /// How long connections may go on before guests lose anything, in seconds.
    pub drain: u64,
    /// Public addresses are known before they exist, as in the lab.
    pub promised: bool,
}

pub fn subset<T: Copy>(tape: &mut Tape, all: &[T]) -> Vec<T> {
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
        for name in ["n1", "n2"] {
            if tape.pick(4) == 3 {
                let nat = Nat {
                    frontend: frontends[tape.pick(frontends.len())],
                    pool: (tape.pick(2) == 0).then(|| setup.pools[tape.pick(setup.pools.len())]),
                    floating: tape.pick(2) == 1,
                };
                setup.nat.insert(name, nat);
            }
        }
        if tape.pick(4) == 3 {
            setup.shared.extend(subset(tape, &GUESTS));
        }
        setup.drain = [0, 0, 0, 30][tape.pick(4)];
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

    pub fn has(&self, rule: &str) -> bool {
        self.rules.contains_key(rule) || self.nat.contains_key(rule)
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
        if self.drain > 0 {
            let _ = writeln!(out, "  drain = \"{}s\"", self.drain);
        }
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
        for (name, nat) in &self.nat {
            let ports = match nat.pool {
                Some(pool) => format!(
                    "    backend_pool = backend_pool.{pool}\n    frontend_port_range_start = {0}\n    frontend_port_range_end = {1}\n",
                    if *name == "n1" { 2200 } else { 2300 },
                    if *name == "n1" { 2299 } else { 2399 }
                ),
                None => format!(
                    "    frontend_port = {}\n",
                    if *name == "n1" { 2222 } else { 2223 }
                ),
            };
            let _ = writeln!(
                out,
                "  inbound_nat_rule \"{name}\" {{\n    frontend = frontend.{}\n    protocol = \"Tcp\"\n{ports}    backend_port = {}\n    \
                 floating_ip = {}\n  }}",
                nat.frontend,
                if *name == "n1" { 22 } else { 23 },
                nat.floating
            );
        }
        out.push_str("}\n");
        if !self.shared.is_empty() {
            out.push_str("data \"load_balancer\" \"shared\" {\n  resource_group = \"rg-web\"\n}\n");
        }
        for (name, pools) in &self.guests {
            let mut pools: Vec<String> = pools
                .iter()
                .map(|pool| format!("load_balancer.web.backend_pool.{pool}"))
                .collect();
            if self.shared.contains(name) {
                pools.push("data.load_balancer.shared.backend_pool.s".to_owned());
            }
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
