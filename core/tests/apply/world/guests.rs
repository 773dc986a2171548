//! Guests, simulated: scripts that compare before they set.

use super::World;
use async_trait::async_trait;
use plimsoll_core::apply::*;
use plimsoll_core::model::guest::*;
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::task::Poll;

/// A guest with a firewall that drops, and applications that listen on every address.
pub fn guest(own: &str, ports: &[(Protocol, u16)]) -> GuestFacts {
    let address = |interface: &str, address: &str| InterfaceAddress {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
    };
    GuestFacts {
        hostname: own.to_owned(),
        boot_id: "1".to_owned(),
        init: "systemd".to_owned(),
        addresses: vec![
            address("lo", "127.0.0.1/8"),
            address("eth0", &format!("{own}/24")),
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
            .iter()
            .map(|(protocol, port)| Listener {
                protocol: *protocol,
                address: "0.0.0.0".parse().unwrap(),
                port: *port,
                process: None,
            })
            .collect(),
        survives: BTreeSet::new(),
        record: RecordFact::Absent,
        settings: BTreeMap::new(),
        network: plimsoll_core::model::guest::NetworkFacts::default(),
        unconfirmed: None,
        unread: Vec::new(),
    }
}

/// A guest as it was before us, but for the run numbers that its record keeps.
pub fn without_runs(facts: &GuestFacts) -> GuestFacts {
    let over = facts.record().is_some_and(|r| r.entries.is_empty());
    GuestFacts {
        record: if over {
            RecordFact::Absent
        } else {
            facts.record.clone()
        },
        ..facts.clone()
    }
}

#[async_trait]
impl ObserveGuests for World {
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts> {
        self.company().await;
        self.with(|w| match w.guests.get(guest.addr.name()) {
            _ if w.unreachable.contains(guest.addr.name()) => Observation::Unreadable {
                why: "no route to host".to_owned(),
            },
            Some(facts) => Observation::Present(facts.clone()),
            None => Observation::Absent,
        })
    }
}

impl World {
    /// Reads that hang until as many are under way as `reads_together` says.
    async fn company(&self) {
        let number = self.with(|w| {
            w.reads_begun += 1;
            w.reads_begun
        });
        poll_fn(|context| {
            let alone = self.with(|w| match w.reads_together {
                0 => false,
                together => w.reads_begun < number.next_multiple_of(together),
            });
            if alone {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

#[async_trait]
impl EnactGuests for World {
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError> {
        let name = order.step.guest.addr.name().to_owned();
        self.effect(|w| {
            if w.failing.contains(&name) || w.unreachable.contains(&name) {
                return Err(WorldError::Refused {
                    message: "nft refused".to_owned(),
                });
            }
            let facts = w.guests.get_mut(&name).expect("the guest exists");
            compare(facts, order)?;
            let mut record = facts.record().cloned().unwrap_or_default();
            record
                .runs
                .insert(order.claim.deployment.clone(), order.run);
            for touch in &order.step.ensure {
                set(facts, &touch.key, true);
                facts.survives.insert(touch.key.clone());
                record.entries.insert(
                    touch.key.clone(),
                    Entry {
                        claims: touch.after.claims.clone(),
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
            let after = facts.clone();
            w.wrote(format!("script {name}"));
            Ok(after)
        })
        .await
    }
}

/// The script refuses when a newer run was here, and when what it sets is neither as before nor as after.
fn compare(facts: &GuestFacts, order: &GuestOrder<'_>) -> Result<(), WorldError> {
    let target = order.step.guest.addr.to_string();
    let newest = facts
        .record()
        .and_then(|r| r.runs.get(&order.claim.deployment).copied());
    if newest.is_some_and(|newest| newest > order.run) {
        return Err(WorldError::Refused {
            message: format!("{target} has seen a newer run"),
        });
    }
    let touches = order.step.ensure.iter().chain(&order.step.release);
    // What appeared in the meantime is somebody's: taking it for ours would be taking it away later.
    let appeared = |touch: &Touch| {
        let now = facts.state_of(&touch.key);
        touch.after.live && !touch.before.live && now.live && now.claims == touch.before.claims
    };
    let moved: Vec<String> = touches
        .filter(|touch| {
            let now = facts.state_of(&touch.key);
            appeared(touch)
                || (now.claims != touch.before.claims && now.claims != touch.after.claims)
        })
        .map(|touch| touch.key.to_string())
        .collect();
    if moved.is_empty() {
        Ok(())
    } else {
        Err(WorldError::Stale { target, moved })
    }
}

/// Makes an entry live or takes it away, only what is ours.
pub fn set(facts: &mut GuestFacts, key: &EntryKey, live: bool) {
    match key {
        EntryKey::Address(place) => {
            let address = place.known().expect("resolved before it is sent");
            let loopback = facts.loopback_name().to_owned();
            facts
                .addresses
                .retain(|a| !(a.interface == loopback && a.address.addr() == address));
            if live {
                facts.addresses.push(InterfaceAddress {
                    interface: loopback,
                    address: address.into(),
                });
            }
        }
        EntryKey::Firewall(opening) => {
            let destination = opening
                .destination
                .known()
                .expect("resolved before it is sent");
            let text = key.to_string();
            let rules = &mut facts.firewall.base[0].rules;
            rules.retain(|r| !(r.ours && r.text == text));
            if live {
                rules.push(FirewallRule {
                    protocol: Some(opening.protocol),
                    sources: opening.source.into_iter().map(Into::into).collect(),
                    destinations: vec![destination.into()],
                    ports: opening.port.into_iter().map(|p| (p, p)).collect(),
                    uncertain: false,
                    target: Target::Accept,
                    ours: true,
                    text,
                    name: None,
                });
            }
        }
        EntryKey::WeakHost(setting) => {
            let name = facts
                .interface_of(setting)
                .expect("it has one")
                .name
                .clone();
            let mut interfaces = facts.interfaces.iter_mut();
            let interface = interfaces.find(|i| i.name == name).expect("just found");
            let settings = interface.weak_host.entry(setting.on.family()).or_default();
            settings.set(
                setting.direction,
                Setting {
                    now: live,
                    after_reboot: live,
                },
            );
        }
    }
}
