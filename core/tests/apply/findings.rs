//! Every code that a plan can find with live facts: a world in which it must be said, and almost the same one in which it
//! must not.

use crate::world::{World, configuration, network};
use plimsoll_core::apply::observe;
use plimsoll_core::model::guest::{
    Fate, FirewallRule, GuestFacts, InterfaceAddress, Listener, Target, Unconfirmed,
};
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::security::{Access, Prefix, SecurityGroup, SecurityRule, Transport};
use plimsoll_core::model::*;
use plimsoll_core::plan::{Mode, Question, Refinements, codes, needed, plan};
use plimsoll_core::state::State;
use std::collections::BTreeSet;

const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

/// What a plan is made from.
struct Moment {
    text: String,
    prior: Option<State>,
    observed: Observed,
}

impl Moment {
    /// The text is applied, and all is well.
    fn after(text: &str) -> Self {
        let world = World::of_the_example();
        world.apply(text);
        Self {
            prior: world.state(),
            ..Self::before(&world, text)
        }
    }

    /// The text is new to this world.
    fn before(world: &World, text: &str) -> Self {
        let prior = world.state();
        let wanted = needed(&configuration(text).desired, prior.as_ref());
        Self {
            text: text.to_owned(),
            prior: None,
            observed: futures::executor::block_on(observe(&wanted, world, world)),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn guest(&mut self, name: &str) -> &mut GuestFacts {
        let mut guests = self.observed.guests.iter_mut();
        match guests.find(|(addr, _)| addr.name() == name).unwrap().1 {
            Observation::Present(facts) => facts,
            other => panic!("{other:?}"),
        }
    }

    fn interface(&mut self, name: &str) -> &mut NetworkInterface {
        let id = network("networkInterfaces", &format!("{name}-nic"));
        match self.observed.network_interfaces.get_mut(&id).unwrap() {
            Observation::Present(interface) => interface,
            other => panic!("{other:?}"),
        }
    }

    fn load_balancer(&mut self) -> &mut LoadBalancer {
        match self.observed.load_balancers.values_mut().next().unwrap() {
            Observation::Present(found) => found,
            other => panic!("{other:?}"),
        }
    }

    fn codes(&self) -> BTreeSet<String> {
        let plan = plan(&Question {
            configuration: &configuration(&self.text),
            prior: self.prior.as_ref(),
            observed: &self.observed,
            mode: Mode::Apply,
            lab: true,
            now: "2026-01-01T00:00:00Z".to_owned(),
            fresh_lineage: "fresh".to_owned(),
            release_addresses: false,
            refinements: Refinements::default(),
        });
        let codes = plan.findings.iter().map(|finding| finding.code.to_string());
        codes.collect()
    }
}

/// An application of vm1 listens here instead of wherever it did.
fn listen(moment: &mut Moment, port: u16, addresses: &[&str]) {
    let listeners = &mut moment.guest("vm1").listeners;
    listeners.retain(|listener| listener.port != port);
    listeners.extend(addresses.iter().map(|address| Listener {
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
        port,
        process: None,
    }));
}

fn hold(facts: &mut GuestFacts, interface: &str, address: &str) {
    facts.addresses.push(InterfaceAddress {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
    });
}

/// The admin's rule comes first.
fn deny(port: u16, uncertain: bool) -> Moment {
    let rule = FirewallRule {
        protocol: Some(Protocol::Tcp),
        sources: Vec::new(),
        destinations: Vec::new(),
        ports: vec![(port, port)],
        uncertain,
        target: Target::Drop,
        ours: false,
        text: format!("tcp dport {port} drop"),
        name: None,
    };
    well().with(|m| m.guest("vm1").firewall.base[0].rules.insert(0, rule))
}

fn well() -> Moment {
    Moment::after(EXAMPLE)
}

/// A cluster moves the green address; the probe has the port.
fn cluster(port: u16) -> String {
    let declared = "    public_ip = public_ip.green\n";
    let mode = format!("{declared}    guest_mode = \"cluster\"\n");
    let text = EXAMPLE.replacen(declared, &mode, 1);
    text.replace("8081", &port.to_string())
}

/// The members that hold the cluster's address, and those that answer its probe.
fn cluster_on(holders: &[&str], answering: &[&str]) -> Moment {
    Moment::before(&World::of_the_example(), &cluster(8081)).with(|m| {
        for name in ["vm1", "vm2"] {
            let facts = m.guest(name);
            if holders.contains(&name) {
                hold(facts, "eth0", "65.52.0.1/24");
            }
            if !answering.contains(&name) {
                facts.listeners.retain(|listener| listener.port != 8081);
            }
        }
    })
}

fn set(text: &str, settings: &[(&str, &str)]) -> Moment {
    Moment::before(&World::of_the_example(), text).with(|m| {
        let facts = m.guest("vm1");
        for (name, value) in settings {
            let (name, value) = ((*name).to_owned(), (*value).to_owned());
            facts.settings.insert(name, value);
        }
    })
}

/// The example with another interface in vm1.
fn two_interfaces(filter: &str) -> Moment {
    let id = network("networkInterfaces", "vm1-second");
    let connection = "  connection \"ssh\" {\n    host = \"vm1.internal\"";
    let second =
        format!("  network_interface \"second\" {{\n    id = \"{id}\"\n  }}\n\n{connection}");
    let text = EXAMPLE.replace(connection, &second);
    set(&text, &[("net.ipv4.conf.eth0.rp_filter", filter)])
}

fn secured(allowed: &[(Prefix, Prefix)]) -> Moment {
    let rule = |(priority, (source, destination)): (u16, &(Prefix, Prefix)), access| SecurityRule {
        name: format!("r{priority}"),
        priority,
        access,
        transport: Transport::Any,
        sources: vec![source.clone()],
        source_ports: Vec::new(),
        destinations: vec![destination.clone()],
        ports: Vec::new(),
        default: false,
    };
    let mut inbound: Vec<SecurityRule> = (100..)
        .zip(allowed)
        .map(|allowed| rule(allowed, Access::Allow))
        .collect();
    inbound.push(rule((4000, &(Prefix::Any, Prefix::Any)), Access::Deny));
    let id = network("networkSecurityGroups", "nsg");
    well().with(|m| {
        let named = serde_json::json!({ "networkSecurityGroup": { "id": id.as_str() } });
        let rest = &mut m.interface("vm1").rest;
        rest.insert("properties".to_owned(), named);
        let group = SecurityGroup {
            id: id.clone(),
            inbound,
        };
        let group = Observation::Present(group);
        m.observed.security_groups.insert(id, group);
    })
}

fn to(net: &str) -> Prefix {
    Prefix::Net(net.parse().unwrap())
}

fn probes() -> (Prefix, Prefix) {
    (Prefix::Tag("AzureLoadBalancer".to_owned()), Prefix::Any)
}

/// Someone else's load balancer, as the example has it.
fn data(expect: &str) -> Moment {
    let text = format!(
        "provider \"azure\" {{\n  subscription_id = \"{}\"\n}}\n\
         data \"load_balancer\" \"web\" {{\n  resource_group = \"rg-web\"\n{expect}}}\n\
         guest \"vm1\" {{\n  os = \"linux\"\n  network_interface \"main\" {{\n    id = \"{}\"\n    \
         backend_pools = [data.load_balancer.web.backend_pool.vms]\n  }}\n  connection \"local\" {{}}\n}}\n",
        crate::world::SUBSCRIPTION,
        network("networkInterfaces", "vm1-nic"),
    );
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.saved = None);
    Moment::before(&world, &text)
}

fn expecting(rule: &str) -> Moment {
    data(&format!(
        "  expect {{\n    rule \"{rule}\" {{\n      frontend      = frontend.green\n      \
         backend_pools = [backend_pool.vms]\n      protocol      = \"Tcp\"\n      frontend_port = 80\n      \
         backend_port  = 80\n      floating_ip   = true\n    }}\n  }}\n"
    ))
}

fn with_nat_rule() -> String {
    let rule = "  inbound_nat_rule \"ssh\" {\n    frontend      = frontend.green\n    protocol      = \"Tcp\"\n    \
                frontend_port = 2201\n    backend_port  = 22\n  }\n\n";
    let pool = "  backend_pool \"vms\" {}\n\n";
    EXAMPLE.replace(pool, &format!("{pool}{rule}"))
}

fn with_nat_pools(text: &str) -> Moment {
    let mut moment = well();
    moment.text = text.to_owned();
    moment.with(|m| {
        let pools = serde_json::json!({ "inboundNatPools": [{ "name": "scale-set" }] });
        m.load_balancer()
            .rest
            .insert("properties".to_owned(), pools);
    })
}

/// A rule is declared for this port of the green frontend, and somebody has made one for port 9000.
fn beside_a_stranger(port: u16) -> Moment {
    let rule = format!(
        "  rule \"extra\" {{\n    frontend      = frontend.green\n    backend_pools = [backend_pool.vms]\n    \
         protocol      = \"Tcp\"\n    frontend_port = {port}\n    backend_port  = {port}\n    floating_ip   = true\n  }}\n\n"
    );
    let pool = "  backend_pool \"vms\" {}\n\n";
    let mut moment = well();
    moment.text = EXAMPLE.replace(pool, &format!("{pool}{rule}"));
    moment.with(|m| {
        let balancer = m.load_balancer();
        let mut theirs = balancer.item(ItemKind::Rule, "green").unwrap().clone();
        theirs.name = "old".to_owned();
        for name in ["frontend_port", "backend_port"] {
            let port = Attr::Int(9000);
            theirs.attributes.insert(name.to_owned(), port);
        }
        balancer.set(ItemKind::Rule, theirs);
    })
}

fn moved_to(port: u16) -> Moment {
    let mut moment = well();
    moment.text = EXAMPLE.replace("backend_port  = 8080", &format!("backend_port  = {port}"));
    moment
}

fn check(condition: &str) -> Moment {
    let check = format!(
        "\ncheck \"one\" {{\n  assert {{\n    condition     = {condition}\n    error_message = \"No.\"\n  }}\n}}\n"
    );
    Moment::after(&format!("{EXAMPLE}{check}"))
}

struct Case {
    code: &'static str,
    fires: fn() -> Moment,
    near: fn() -> Moment,
}

const CASES: &[Case] = &[
    Case {
        code: "PL0301",
        fires: || well().with(|m| listen(m, 80, &["10.0.0.11"])),
        near: || well().with(|m| listen(m, 80, &["65.52.0.1", "65.52.0.2"])),
    },
    Case {
        code: "PL0302",
        fires: || well().with(|m| listen(m, 8081, &["65.52.0.1"])),
        near: || well().with(|m| listen(m, 8081, &["10.0.0.11"])),
    },
    Case {
        code: "PL0303",
        fires: || well().with(|m| hold(m.guest("vm1"), "lo", "65.52.0.1/24")),
        near: || well().with(|m| hold(m.guest("vm1"), "lo", "65.52.0.9/24")),
    },
    Case {
        code: "PL0323",
        // Half of all IPv4 addresses, those of the subnet among them.
        fires: || well().with(|m| hold(m.guest("vm1"), "lo", "65.52.0.1/1")),
        near: || well().with(|m| hold(m.guest("vm1"), "lo", "65.52.0.1/24")),
    },
    Case {
        code: "PL0304",
        fires: || {
            well().with(|m| {
                let facts = m.guest("vm1");
                facts.init = "openrc".to_owned();
                facts.addresses.retain(|a| a.interface != "lo");
            })
        },
        // Everything is in place already.
        near: || well().with(|m| m.guest("vm1").init = "openrc".to_owned()),
    },
    Case {
        code: "PL0305",
        fires: || deny(80, false),
        near: || deny(22, false),
    },
    Case {
        code: "PL0306",
        fires: || deny(80, true),
        near: || deny(22, true),
    },
    Case {
        code: "PL0307",
        fires: || {
            well().with(|m| {
                m.guest("vm1").unconfirmed = Some(Unconfirmed {
                    fate: Fate::TakenBack,
                    what: "run 7: firewalld was loaded anew".to_owned(),
                });
            })
        },
        // Confirmed.
        near: || well().with(|m| m.guest("vm1").unconfirmed = None),
    },
    Case {
        code: "PL0310",
        fires: || {
            well().with(|m| {
                let why = "no route to host".to_owned();
                let guest = m.observed.guests.values_mut().next().unwrap();
                *guest = Observation::Unreadable { why };
            })
        },
        // It answered, and something in the answer was beyond us.
        near: || well().with(|m| m.guest("vm1").unread.push("listeners".to_owned())),
    },
    Case {
        code: "PL0311",
        fires: || set(&cluster(8081), &[("net.ipv4.tcp_timestamps", "1")]),
        near: || set(EXAMPLE, &[("net.ipv4.tcp_timestamps", "1")]),
    },
    Case {
        code: "PL0312",
        fires: || two_interfaces("1"),
        near: || two_interfaces("2"),
    },
    Case {
        code: "PL0313",
        fires: || {
            let range = ("net.ipv4.ip_local_port_range", "32768\t60999");
            set(&cluster(59999), &[range])
        },
        near: || {
            let range = ("net.ipv4.ip_local_port_range", "32768\t60999");
            let reserved = ("net.ipv4.ip_local_reserved_ports", "59990-60000");
            set(&cluster(59999), &[range, reserved])
        },
    },
    Case {
        code: "PL0314",
        fires: || {
            well().with(|m| {
                let all = &mut m.interface("vm1").ip_configurations;
                all.values_mut().next().unwrap().primary = false;
            })
        },
        // A secondary one that is in no pool.
        near: || {
            well().with(|m| {
                let second = IpConfiguration {
                    private_address: "10.0.0.21".parse().ok(),
                    primary: false,
                    backend_pools: Vec::new(),
                };
                let all = &mut m.interface("vm1").ip_configurations;
                all.insert("second".to_owned(), second);
            })
        },
    },
    Case {
        code: "PL0315",
        fires: || deny(8081, false),
        near: || deny(8082, false),
    },
    Case {
        code: "PL0316",
        fires: || cluster_on(&["vm1", "vm2"], &["vm1"]),
        near: || cluster_on(&["vm1"], &["vm1"]),
    },
    Case {
        code: "PL0317",
        fires: || cluster_on(&["vm1"], &["vm2"]),
        near: || cluster_on(&["vm2"], &["vm2"]),
    },
    Case {
        code: "PL0318",
        fires: || moved_to(9090),
        near: || moved_to(8081),
    },
    Case {
        code: "PL0320",
        fires: || with_nat_pools(&with_nat_rule()),
        near: || with_nat_pools(EXAMPLE),
    },
    Case {
        code: "PL0321",
        fires: || secured(&[probes(), (Prefix::Any, to("10.0.0.0/24"))]),
        near: || {
            secured(&[
                probes(),
                (Prefix::Any, to("10.0.0.0/24")),
                (Prefix::Any, to("65.52.0.0/30")),
            ])
        },
    },
    Case {
        code: "PL0322",
        fires: || secured(&[(Prefix::Any, to("65.52.0.0/30"))]),
        near: || secured(&[(Prefix::Any, to("65.52.0.0/30")), probes()]),
    },
    Case {
        code: "PL0324",
        fires: || beside_a_stranger(9000),
        near: || beside_a_stranger(9001),
    },
    Case {
        code: "PL0330",
        fires: || {
            data("").with(|m| {
                let all = &mut m.interface("vm1").ip_configurations;
                all.values_mut().next().unwrap().backend_pools.clear();
            })
        },
        near: || data(""),
    },
    Case {
        code: "PL0331",
        fires: || {
            data("").with(|m| {
                let there = m.observed.load_balancers.values_mut().next().unwrap();
                *there = Observation::Absent;
            })
        },
        near: || data(""),
    },
    Case {
        code: "PL0332",
        fires: || expecting("blue"),
        near: || expecting("green"),
    },
    Case {
        code: "PL0333",
        fires: || check("length(\"x\") > 1"),
        near: || check("length(\"xx\") > 1"),
    },
];

#[test]
fn every_code_is_said_where_it_must_be_and_not_in_almost_the_same_place() {
    for Case { code, fires, near } in CASES {
        let (fires, near) = (fires().codes(), near().codes());
        assert!(fires.contains(*code), "{code} is not said, but {fires:?}");
        assert!(
            !near.contains(*code),
            "{code} is said of its near miss: {near:?}"
        );
    }
    let missing: Vec<&str> = codes::ALL
        .iter()
        .map(|row| row.code)
        .filter(|code| CASES.iter().all(|case| case.code != *code))
        .collect();
    assert!(missing.is_empty(), "no case for {}", missing.join(", "));
}
