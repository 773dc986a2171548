//! Guests in memory: they do as the scripts do, and never fail. What goes wrong here goes wrong in Azure.

use async_trait::async_trait;
use plimsoll_core::apply::{EnactGuests, GuestOrder, ObserveGuests, WorldError};
use plimsoll_core::model::guest::{
    Chain, Entry, EntryKey, Firewall, FirewallKind, FirewallRule, GuestFacts, GuestRef,
    InterfaceAddress, Listener, NetworkFacts, RecordFact, Target,
};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::{Protocol, Where};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
pub(crate) struct Guests(Arc<Mutex<BTreeMap<String, GuestFacts>>>);

/// A guest whose firewall drops, with applications that listen on every address.
fn facts(own: &str) -> GuestFacts {
    let address = |interface: &str, address: String| InterfaceAddress {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
    };
    let listener = |(protocol, port)| Listener {
        protocol,
        address: "0.0.0.0".parse().unwrap(),
        port,
        process: None,
    };
    let ports = [80, 81, 8080, 8081, 443].map(|port| (Protocol::Tcp, port));
    GuestFacts {
        hostname: own.to_owned(),
        boot_id: "1".to_owned(),
        init: "systemd".to_owned(),
        addresses: vec![
            address("lo", "127.0.0.1/8".to_owned()),
            address("eth0", format!("{own}/24")),
        ],
        interfaces: Vec::new(),
        firewall: Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".to_owned(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules: Vec::new(),
            }],
            other: Vec::new(),
        },
        listeners: ports
            .into_iter()
            .chain([(Protocol::Udp, 53)])
            .map(listener)
            .collect(),
        survives: BTreeSet::new(),
        record: RecordFact::Absent,
        settings: BTreeMap::new(),
        network: NetworkFacts::default(),
        unconfirmed: None,
        unread: Vec::new(),
    }
}

impl Guests {
    pub(crate) fn new(names: &[(&str, &str)]) -> Self {
        let all = names
            .iter()
            .map(|(name, own)| ((*name).to_owned(), facts(own)))
            .collect();
        Self(Arc::new(Mutex::new(all)))
    }

    /// The same guests once more, apart from these.
    pub(crate) fn branch(&self) -> Self {
        Self(Arc::new(Mutex::new(self.all())))
    }

    /// Without the numbers of runs: a run that had to be repeated has a higher one.
    pub(crate) fn all(&self) -> BTreeMap<String, GuestFacts> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn hold(&self, name: &str, address: IpAddr) -> bool {
        let all = self.0.lock().unwrap();
        all.get(name)
            .is_some_and(|facts| facts.holds(address).is_some())
    }
}

/// Makes an entry live or takes it away.
fn set(facts: &mut GuestFacts, key: &EntryKey, live: bool) {
    let known = |place: &Where| place.known().expect("resolved before it is sent");
    match key {
        EntryKey::Address(place) => {
            let on_loopback = InterfaceAddress {
                interface: "lo".to_owned(),
                address: known(place).into(),
            };
            facts.addresses.retain(|address| *address != on_loopback);
            if live {
                facts.addresses.push(on_loopback);
            }
        }
        EntryKey::Firewall(opening) => {
            let text = key.to_string();
            let rules = &mut facts.firewall.base[0].rules;
            rules.retain(|rule| rule.text != text);
            if live {
                rules.push(FirewallRule {
                    protocol: Some(opening.protocol),
                    sources: opening.source.into_iter().map(Into::into).collect(),
                    destinations: vec![known(&opening.destination).into()],
                    ports: opening.port.into_iter().map(|port| (port, port)).collect(),
                    uncertain: false,
                    target: Target::Accept,
                    ours: true,
                    text,
                    name: None,
                });
            }
        }
        EntryKey::WeakHost(_) => panic!("these guests run Linux"),
    }
}

#[async_trait]
impl ObserveGuests for Guests {
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts> {
        let all = self.0.lock().unwrap();
        all.get(guest.addr.name())
            .cloned()
            .map_or(Observation::Absent, Observation::Present)
    }
}

#[async_trait]
impl EnactGuests for Guests {
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError> {
        let mut all = self.0.lock().unwrap();
        let facts = all
            .get_mut(order.step.guest.addr.name())
            .expect("the guest exists");
        let mut record = facts.record().cloned().unwrap_or_default();
        record
            .runs
            .insert(order.claim.deployment.clone(), order.run);
        for touch in &order.step.ensure {
            set(facts, &touch.key, true);
            facts.survives.insert(touch.key.clone());
            let claims = touch.after.claims.clone();
            record.entries.insert(
                touch.key.clone(),
                Entry {
                    claims,
                    prior: None,
                },
            );
        }
        for touch in &order.step.release {
            if touch.after.claims.is_empty() {
                set(facts, &touch.key, false);
                facts.survives.remove(&touch.key);
                record.entries.remove(&touch.key);
            } else if let Some(entry) = record.entries.get_mut(&touch.key) {
                entry.claims = touch.after.claims.clone();
            }
        }
        facts.record = if record.is_empty() {
            RecordFact::Absent
        } else {
            RecordFact::Present {
                record,
                sha256: String::new(),
            }
        };
        Ok(facts.clone())
    }
}
