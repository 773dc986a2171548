use crate::bed::{Bed, Place, place};
use crate::deployment::{Answer, Deployment, Guest, PROBE_PORT};
use crate::firewalls::Kind;
use serde_json::json;

/// Somebody does something.
enum Deed {
    /// In the guest.
    Inside(String),
    /// With the application: it listens there now.
    Listen(Vec<Place>),
    /// In Azure.
    Azure(fn(&Deployment)),
}

enum Fix {
    /// What `trace` prints is plimsoll itself, for this guest.
    Apply,
    /// What `trace` prints is a command for the guest.
    Command,
    /// It says this, and a person does that.
    Person(String, Deed),
}

struct Fault {
    name: &'static str,
    planted: Deed,
    /// Whose packets are lost by it.
    flow: Place,
    /// The hop that `trace` names: the first one with a cross.
    hop: &'static str,
    /// What it says of new connections.
    says: &'static str,
    fix: Fix,
    /// What is left of it once it is mended.
    away: Option<Deed>,
}

/// Azure goes on sending, because the probe is answered.
const DROPPED: &str = "receives every new connection and drops it";
const NOTHING: &str = "nothing arrives";

/// Everything that can go wrong on the way, with the flows of the matrix. `listening` is where the application listens.
fn table(kind: Kind, own: Place, listening: &[Place]) -> Vec<Fault> {
    let green = place("tcp", "65.52.0.1", 80);
    let inside = |text: &str| Deed::Inside(text.to_owned());
    let listen = || Deed::Listen(listening.to_vec());
    let instead = |from: Place, to: Place| {
        let moved = listening.iter().map(|p| if *p == from { to } else { *p });
        Deed::Listen(moved.collect())
    };
    let not_ours = "is an administrator's, and plimsoll does not go around it: remove it";
    let (six, udp) = (
        place("tcp", "fd00:f1::1", 80),
        place("udp", "65.52.0.1", 5353),
    );
    let denied_inside = place("tcp", "fd00:f1::1", 8080);
    vec![
        Fault {
            name: "missing address",
            planted: inside("ip addr del fd00:f1::1/128 dev lo"),
            flow: six,
            hop: "address",
            says: DROPPED,
            fix: Fix::Apply,
            away: None,
        },
        Fault {
            name: "closed firewall",
            planted: Deed::Inside(kind.close(green)),
            flow: green,
            hop: if kind.refuses() { "firewall" } else { "probe" },
            says: if kind.refuses() { DROPPED } else { NOTHING },
            fix: Fix::Apply,
            away: kind.undo_close().map(inside),
        },
        Fault {
            name: "deny before allow",
            planted: Deed::Inside(kind.deny(denied_inside)),
            flow: place("tcp", "fd00:f1::1", 8000),
            hop: "firewall",
            says: DROPPED,
            fix: Fix::Person(
                not_ours.to_owned(),
                Deed::Inside(kind.undo_deny(denied_inside)),
            ),
            away: None,
        },
        Fault {
            name: "listener on the wrong address",
            planted: instead(
                udp,
                Place {
                    address: own.address,
                    ..udp
                },
            ),
            flow: place("udp", "65.52.0.1", 5300),
            hop: "listener",
            says: DROPPED,
            fix: Fix::Person(
                "let the application in vm1 listen on 65.52.0.1:5353/udp".to_owned(),
                listen(),
            ),
            away: None,
        },
        Fault {
            name: "dead probe, because its service is bound to the frontend's address alone",
            planted: instead(
                own,
                Place {
                    port: PROBE_PORT,
                    ..green
                },
            ),
            flow: green,
            hop: "probe",
            says: NOTHING,
            fix: Fix::Person(
                format!(
                    "let a service in vm1 listen on {}:{PROBE_PORT}",
                    own.address
                ),
                listen(),
            ),
            away: None,
        },
        Fault {
            name: "probe blocked",
            planted: Deed::Inside(kind.deny(own)),
            flow: green,
            hop: "probe",
            says: NOTHING,
            fix: Fix::Person(not_ours.to_owned(), Deed::Inside(kind.undo_deny(own))),
            away: None,
        },
        Fault {
            name: "rp_filter with two NICs",
            planted: inside(
                "sysctl -qw net.ipv4.conf.eth0.rp_filter=1; ip route replace default via 10.1.0.1 dev eth1 metric 50",
            ),
            flow: green,
            hop: "reply",
            says: DROPPED,
            fix: Fix::Command,
            away: Some(inside(STRICT_NO_MORE)),
        },
        Fault {
            name: "rp_filter with two NICs, and the probe goes the same way",
            planted: inside(
                "sysctl -qw net.ipv4.conf.eth0.rp_filter=1; ip route replace default via 10.1.0.1 dev eth1 metric 50; \
                 ip route del 168.63.129.16",
            ),
            flow: green,
            hop: "probe",
            says: NOTHING,
            fix: Fix::Command,
            away: Some(Deed::Inside(format!(
                "{STRICT_NO_MORE}; ip route add 168.63.129.16 via 10.0.0.1 dev eth0 proto static"
            ))),
        },
        Fault {
            name: "guest not in the pool",
            planted: Deed::Azure(|deployment| leaves_its_pools(deployment, "ipconfig1")),
            flow: green,
            hop: "pool",
            says: NOTHING,
            fix: Fix::Apply,
            away: None,
        },
        Fault {
            name: "network security group that allows the VM's own address alone",
            planted: Deed::Azure(|deployment| guard(deployment, "10.0.0.11")),
            flow: green,
            hop: "NSG",
            says: "Azure drops what is for it",
            fix: Fix::Person(
                "allow tcp to 65.52.0.1:80 in a network security group of vm1-nic0/ipconfig1"
                    .to_owned(),
                Deed::Azure(|deployment| guard(deployment, "65.52.0.1")),
            ),
            away: Some(Deed::Azure(|deployment| {
                deployment.by_hand("networkInterfaces", "vm1-nic0", |nic| {
                    nic["properties"]["networkSecurityGroup"] = json!(null);
                });
            })),
        },
    ]
}

/// The same over IPv6, where it is another way: planted on one kind of firewall, since the kinds differ in none of it.
fn over_ipv6(kind: Kind, own: Place, listening: &[Place]) -> Vec<Fault> {
    let six = place("tcp", "fd00:f1::1", 80);
    let listen = |places: Vec<Place>| Deed::Listen(places);
    let without_probe = listening.iter().filter(|p| **p != own).copied();
    vec![
        Fault {
            name: "dead probe, IPv6",
            planted: listen(without_probe.collect()),
            flow: six,
            hop: "probe",
            says: NOTHING,
            fix: Fix::Person(
                format!(
                    "let a service in vm1 listen on [{}]:{PROBE_PORT}",
                    own.address
                ),
                listen(listening.to_vec()),
            ),
            away: None,
        },
        Fault {
            name: "probe blocked, IPv6",
            planted: Deed::Inside(kind.deny(own)),
            flow: six,
            hop: "probe",
            says: NOTHING,
            fix: Fix::Person(
                "is an administrator's, and plimsoll does not go around it: remove it".to_owned(),
                Deed::Inside(kind.undo_deny(own)),
            ),
            away: None,
        },
        Fault {
            name: "guest not in the pool, IPv6",
            planted: Deed::Azure(|deployment| leaves_its_pools(deployment, "ipconfig2")),
            flow: six,
            hop: "pool",
            says: NOTHING,
            fix: Fix::Apply,
            away: None,
        },
        Fault {
            // Addresses of the test's IPv6 are all private, which a group lets in from each other unless told otherwise.
            name: "network security group that denies the frontend's address, IPv6",
            planted: Deed::Azure(|deployment| guarded(deployment, "Deny", "fd00:f1::1")),
            flow: six,
            hop: "NSG",
            says: "Azure drops what is for it",
            fix: Fix::Person(
                "allow tcp to [fd00:f1::1]:80 in a network security group of vm1-nic0/ipconfig2"
                    .to_owned(),
                Deed::Azure(|deployment| guard(deployment, "fd00:f1::1")),
            ),
            away: Some(Deed::Azure(|deployment| {
                deployment.by_hand("networkInterfaces", "vm1-nic0", |nic| {
                    nic["properties"]["networkSecurityGroup"] = json!(null);
                });
            })),
        },
    ]
}

/// Replies leave by the second NIC. The kernel does not mind for IPv6; firewalld's own rule does.
fn answered_by_another_way() -> Fault {
    Fault {
        name: "IPv6_rpfilter of firewalld with two NICs",
        planted: Deed::Inside(OTHER_WAY.to_owned()),
        flow: place("tcp", "fd00:f1::1", 80),
        hop: "reply",
        says: DROPPED,
        fix: Fix::Person(
            "a route table of its own for eth0, or (firewalld) IPv6_rpfilter=loose".to_owned(),
            Deed::Inside(SAME_WAY.to_owned()),
        ),
        away: None,
    }
}

const OTHER_WAY: &str = "ip -6 route replace default via fd10:1::1 dev eth1 metric 50";
const SAME_WAY: &str = "ip -6 route del default via fd10:1::1 dev eth1 metric 50";

const STRICT_NO_MORE: &str = "sysctl -qw net.ipv4.conf.eth0.rp_filter=0; ip route del default via 10.1.0.1 dev eth1 metric 50";

fn leaves_its_pools(deployment: &Deployment, name: &str) {
    deployment.by_hand("networkInterfaces", "vm1-nic0", |nic| {
        let configurations = nic["properties"]["ipConfigurations"].as_array_mut();
        for configuration in configurations.unwrap() {
            if configuration["name"] == name {
                configuration["properties"]["loadBalancerBackendAddressPools"] = json!([]);
            }
        }
    });
}

/// A group of the guest's own NIC, which lets clients in to one address.
fn guard(deployment: &Deployment, to: &str) {
    guarded(deployment, "Allow", to);
}

fn guarded(deployment: &Deployment, access: &str, to: &str) {
    deployment.by_hand("networkSecurityGroups", "vm1-nsg", |group| {
        group["properties"] = json!({ "securityRules": [{ "name": "web", "properties": {
            "protocol": "*", "access": access, "priority": 100, "direction": "Inbound",
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": to, "destinationPortRange": "*"
        }}]});
    });
    let group = deployment.id("networkSecurityGroups", "vm1-nsg");
    deployment.by_hand("networkInterfaces", "vm1-nic0", |nic| {
        nic["properties"]["networkSecurityGroup"] = json!({ "id": group });
    });
}

/// A machine on which everything is answered, with all that is needed to break it and to look.
pub struct Patient<'a> {
    pub bed: &'a Bed,
    pub deployment: &'a Deployment,
    pub guest: Guest,
    pub kind: Kind,
    pub listening: &'a [Place],
}

impl Patient<'_> {
    /// What was printed by whoever did it.
    fn act(&self, deed: &Deed) -> String {
        match deed {
            Deed::Inside(script) => return self.bed.inside(self.guest.name, script),
            Deed::Listen(places) => self.bed.listen(self.guest.name, places),
            Deed::Azure(act) => act(self.deployment),
        }
        String::new()
    }

    fn is_answered(&self, flow: Place) -> bool {
        self.deployment
            .deliver(self.bed, std::slice::from_ref(&self.guest));
        self.bed.ask(&[flow])[0].starts_with(&flow.address.to_string())
    }

    #[track_caller]
    fn flows_again(&self, flow: Place, name: &str) {
        self.bed.until(&format!("{name}: packets flow again"), |_| {
            self.is_answered(flow)
        });
    }

    fn trace(&self, flow: Place) -> Answer {
        self.deployment.plimsoll(&["trace", &flow.destination()])
    }

    /// Plants each fault, holds what `trace` says of it against packets, does what it says, and takes the fault away.
    pub fn suffers_every_fault(&self) {
        let own = self.bed.own(self.guest.name, self.guest.nic);
        let [own, own_six] = own.map(|address| Place {
            protocol: "tcp",
            address,
            port: PROBE_PORT,
        });
        for fault in table(self.kind, own, self.listening) {
            self.suffers(&fault);
        }
        match self.kind {
            Kind::Nftables => {
                for fault in over_ipv6(self.kind, own_six, self.listening) {
                    self.suffers(&fault);
                }
                self.answers_by_another_way_over_ipv6();
            }
            Kind::Firewalld => self.suffers(&answered_by_another_way()),
            Kind::UfwOn | Kind::UfwOff | Kind::Iptables | Kind::None => {}
        }
    }

    /// There is no `rp_filter` for IPv6: what is lost over IPv4 is answered here, and `trace` says what Azure thinks of it.
    fn answers_by_another_way_over_ipv6(&self) {
        let six = place("tcp", "fd00:f1::1", 80);
        self.bed.inside(self.guest.name, OTHER_WAY);
        self.flows_again(six, "IPv6 by another way");
        let seen = self.trace(six).exits(0).stdout;
        assert!(
            seen.contains("Azure drops replies from another NIC"),
            "{seen}"
        );
        self.bed.inside(self.guest.name, SAME_WAY);
    }

    fn suffers(&self, fault: &Fault) {
        let name = format!("{:?}, {}", self.kind, fault.name);
        let said = self.act(&fault.planted);
        assert!(
            !self.is_answered(fault.flow),
            "{name}: packets are lost\n{said}"
        );
        let seen = self.trace(fault.flow).exits(2).stdout;
        let first = seen.lines().find(|line| line.contains('✗')).unwrap();
        assert!(first.starts_with(fault.hop), "{name}\n{seen}");
        assert!(seen.contains(fault.says), "{name}\n{seen}");
        let (_, fix) = seen.split_once("Fix: ").unwrap();
        let fix = fix.lines().next().unwrap();
        match &fault.fix {
            Fix::Apply => {
                let folder = self.deployment.path().display();
                let command = fix.strip_prefix(&format!("plimsoll -C {folder} "));
                assert_eq!(command, Some("apply --target guest.vm1"), "{name}\n{seen}");
                let words = ["apply", "--target", "guest.vm1", "--auto-approve"];
                self.deployment.plimsoll(&words).exits(0);
            }
            Fix::Command => {
                let command = fix.strip_prefix("in vm1: ").unwrap();
                let command = command.split(", or ").next().unwrap();
                self.bed.inside(self.guest.name, command);
            }
            Fix::Person(words, deed) => {
                assert!(fix.contains(words.as_str()), "{name}\n{seen}");
                drop(self.act(deed));
            }
        }
        self.flows_again(fault.flow, &name);
        if let Some(away) = &fault.away {
            drop(self.act(away));
            self.flows_again(fault.flow, &name);
        }
        self.trace(fault.flow).exits(0);
    }

    /// A netmask that is too wide loses nothing but the replies to neighbours of the frontend: `trace` says so, and how to
    /// narrow it.
    pub fn suffers_wide_netmasks(&self) {
        let name = self.guest.name;
        let green = place("tcp", "65.52.0.1", 80);
        let six = place("tcp", "fd00:f1::1", 80);
        self.bed.inside(
            name,
            "ip addr del 65.52.0.1/32 dev lo; ip addr add 65.52.0.1/24 dev lo; \
             ip addr del fd00:f1::1/128 dev lo; ip addr add fd00:f1::1/64 dev lo",
        );
        assert!(self.is_answered(green) && self.is_answered(six));
        let neighbour = |bed: &Bed| bed.ask_from("client", "65.52.0.200", &[green]).remove(0);
        assert_eq!(neighbour(self.bed), "lost");
        for (flow, wide) in [(green, "65.52.0.0/24"), (six, "fd00:f1::/64")] {
            let seen = self.trace(flow).exits(0).stdout;
            let said = format!("the guest takes all of {wide} for itself");
            assert!(seen.contains(&said), "{seen}");
            let (_, narrow) = seen.split_once("to narrow it: in vm1: ").unwrap();
            self.bed.inside(name, narrow.lines().next().unwrap());
            let seen = self.trace(flow).exits(0).stdout;
            assert!(!seen.contains("PL0303"), "{seen}");
        }
        assert!(self.is_answered(green) && self.is_answered(six));
        assert_eq!(neighbour(self.bed), "65.52.0.1 80");
    }
}
