//! Drift: observed differs from prior, and what that does to traffic, truthfully.

use super::findings::place;
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::needs::Service;
use super::title;
use super::{Action, Drift, DriftKind};
use crate::config::{Desired, DesiredLoadBalancer, Ignore};
use crate::model::guest::{EntryKey, EntryState, GuestFacts, IpFamily, Packet, Verdict};
use crate::model::item::diff;
use crate::model::observed::{Observation, Observed};
use crate::model::schema::{Attribute, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX};
use crate::model::{
    Addr, ArmId, Attr, Attributes, FieldDiff, LoadBalancer, Protocol, Severity, Where,
    digest_of_two,
};
use crate::state::{Recorded, RecordedInterface, State};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Everything that drift compares.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    pub prior: Option<&'a State>,
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub load_balancers: &'a [LoadBalancerPlan],
    pub guests: &'a [GuestPlan],
}

/// Attributes of rules and frontends that decide where packets go.
const STEERING: &[&str] = &[
    "frontend",
    "backend_pools",
    "backend_pool",
    "probe",
    "protocol",
    "frontend_port",
    "backend_port",
    "floating_ip",
    "public_ip",
    "private_ip_address",
    "port",
    "request_path",
];

const SINCE: &str = "since the last apply: someone or something changed it";

pub fn drift(compared: &Compared<'_>) -> Vec<Drift> {
    let mut all = match compared.prior {
        Some(prior) => against_prior(prior, compared),
        None => never_recorded(compared),
    };
    all.sort_by(|a, b| (a.severity, &a.addr, &a.what).cmp(&(b.severity, &b.addr, &b.what)));
    all
}

/// `about` is what it is about, without the values of the day: the id stays the same while they change.
pub(super) fn of(
    addr: &Addr,
    about: &str,
    severity: Severity,
    kind: DriftKind,
    what: impl Into<Arc<str>>,
) -> Drift {
    let what = what.into();
    let id = digest_of_two(&addr.to_string(), about);
    Drift {
        id: id.as_str().get(..12).unwrap_or_default().to_owned(),
        addr: addr.clone(),
        severity,
        kind,
        what,
        impact: Vec::new(),
        cause: Cow::Borrowed(SINCE),
    }
}

/// What the configuration asks for and was never applied: nobody moved anything.
pub fn not_yet_applied(compared: &Compared<'_>) -> Vec<Drift> {
    let Some(prior) = compared.prior else {
        return Vec::new();
    };
    let mut all = Vec::new();
    let mut push = |addr: &Addr, about: String, what: String| {
        let kind = DriftKind::NotYetApplied;
        let mut pending = of(addr, &about, Severity::Advice, kind, what);
        pending.cause = Cow::Borrowed("the configuration says so since the last apply");
        all.push(pending);
    };
    for plan in compared.load_balancers {
        let known = match prior.resources.get(&plan.addr) {
            Some(Recorded::LoadBalancer { items, .. }) => Some(items),
            Some(
                Recorded::PublicIpPrefix { .. }
                | Recorded::PublicIp { .. }
                | Recorded::Guest { .. },
            )
            | None => None,
        };
        for item in &plan.change.items {
            let names = known.and_then(|items| items.get(&item.kind));
            let recorded = names.and_then(|names| {
                let mut names = names.iter();
                names.find(|(name, _)| name.eq_ignore_ascii_case(&item.name))
            });
            let title = format!("{} {:?}", item.kind.word(), item.name);
            match (item.action, recorded) {
                (Action::Create, None) => {
                    let what = format!("{title} is declared and not there yet");
                    push(&plan.addr, title, what);
                }
                (Action::Delete, Some(_)) => {
                    let what = format!("{title} left the configuration and is still there");
                    push(&plan.addr, title, what);
                }
                (Action::Update, Some((_, attributes))) => {
                    // Azure has what was applied: it is the configuration that moved on.
                    for field in &item.fields {
                        if field.before.as_ref() == attributes.get(&field.name) {
                            let about = format!("{title} {}", field.name);
                            let what = format!("{title}: {} is to change", field.name);
                            push(&plan.addr, about, what);
                        }
                    }
                }
                (_, _) => {}
            }
        }
    }
    for plan in compared.guests {
        let known = match prior.resources.get(&plan.addr) {
            Some(Recorded::Guest { entries, .. }) => entries.clone(),
            Some(
                Recorded::PublicIpPrefix { .. }
                | Recorded::PublicIp { .. }
                | Recorded::LoadBalancer { .. },
            )
            | None => BTreeSet::new(),
        };
        for change in &plan.change.entries {
            let words = format!(
                "{}{}",
                title::entry(&change.key),
                destination_words(&change.key)
            );
            let recorded = known.contains(&change.key);
            if change.action == Action::Create && !recorded {
                push(
                    &plan.addr,
                    change.key.to_string(),
                    format!("{words} is needed and not there yet"),
                );
            } else if change.action == Action::Delete && recorded {
                push(
                    &plan.addr,
                    change.key.to_string(),
                    format!("{words} is no longer needed"),
                );
            }
        }
    }
    all
}

fn against_prior(prior: &State, compared: &Compared<'_>) -> Vec<Drift> {
    let mut all = Vec::new();
    let guests: HashMap<&Addr, &GuestPlan> = compared.guests.iter().map(|g| (&g.addr, g)).collect();
    for (addr, recorded) in &prior.resources {
        match recorded {
            Recorded::PublicIpPrefix { id, attributes } => {
                let wanted = compared.desired.public_ip_prefixes.get(addr);
                let wanted = wanted.map(|d| (&d.attributes, &d.lifecycle.ignore_changes));
                match compared.observed.public_ip_prefixes.get(id) {
                    Some(Observation::Present(now)) => {
                        let now = (attributes, &now.attributes);
                        all.extend(whole(addr, PUBLIC_IP_PREFIX, now, wanted));
                    }
                    Some(Observation::Absent) => all.push(gone(addr)),
                    Some(Observation::Unreadable { .. }) | None => {}
                }
            }
            Recorded::PublicIp { id, attributes } => {
                let wanted = compared.desired.public_ips.get(addr);
                let wanted = wanted.map(|d| (&d.attributes, &d.lifecycle.ignore_changes));
                match compared.observed.public_ips.get(id) {
                    Some(Observation::Present(now)) => {
                        let now = (attributes, &now.attributes);
                        all.extend(whole(addr, PUBLIC_IP, now, wanted));
                    }
                    Some(Observation::Absent) => all.push(gone(addr)),
                    Some(Observation::Unreadable { .. }) | None => {}
                }
            }
            Recorded::LoadBalancer {
                id,
                attributes,
                items,
            } => {
                let desired = compared.desired.load_balancers.get(addr);
                let wanted = desired.map(|d| (&d.attributes, &d.lifecycle.ignore_changes));
                match compared.observed.load_balancers.get(id) {
                    Some(Observation::Present(observed)) => {
                        let now = (attributes, &observed.attributes);
                        all.extend(whole(addr, LOAD_BALANCER, now, wanted));
                        all.extend(load_balancer(addr, items, desired, observed));
                    }
                    Some(Observation::Absent) => {
                        let mut gone = gone(addr);
                        gone.impact
                            .push("none of its rules carries traffic".to_owned());
                        all.push(gone);
                    }
                    Some(Observation::Unreadable { .. }) | None => {}
                }
            }
            Recorded::Guest {
                interfaces,
                entries,
                ..
            } => {
                let plan = guests.get(addr).copied();
                all.extend(memberships(addr, interfaces, compared.observed));
                if let Some(Observation::Present(facts)) = compared.observed.guests.get(addr) {
                    all.extend(
                        entries
                            .iter()
                            .filter_map(|key| entry(addr, key, facts, plan)),
                    );
                }
            }
        }
    }
    all
}

type RecordedItems = std::collections::BTreeMap<
    crate::model::ItemKind,
    std::collections::BTreeMap<String, crate::model::Attributes>,
>;

fn gone(addr: &Addr) -> Drift {
    let what = "it no longer exists";
    of(addr, "exists", Severity::Error, DriftKind::Changed, what)
}

fn whole(
    addr: &Addr,
    table: &[Attribute],
    (recorded, now): (&Attributes, &Attributes),
    wanted: Option<(&Attributes, &Ignore)>,
) -> Vec<Drift> {
    let Some((declared, ignored)) = wanted else {
        return Vec::new();
    };
    let changed = |field: &FieldDiff| {
        let (warning, changed) = (Severity::Warning, DriftKind::Changed);
        of(addr, &field.name, warning, changed, values(field))
    };
    let fields = moved_whole(table, recorded, now, declared, ignored);
    fields.iter().map(changed).collect()
}

/// Of a resource as a whole, what was applied and is declared still: what nobody declares is Azure's or somebody else's.
pub(super) fn moved_whole(
    table: &[Attribute],
    recorded: &Attributes,
    now: &Attributes,
    declared: &Attributes,
    ignored: &Ignore,
) -> Vec<FieldDiff> {
    let mut fields = moved(table, recorded, now, ignored);
    fields.retain(|f| recorded.contains_key(&f.name) && declared.contains_key(&f.name));
    fields
}

/// What differs from the record, but for what the configuration leaves to others.
pub(super) fn moved(
    table: &[Attribute],
    recorded: &Attributes,
    now: &Attributes,
    ignored: &Ignore,
) -> Vec<FieldDiff> {
    let mut fields = diff(table, recorded, now);
    fields.retain(|field| !ignored.ignores(&field.name));
    fields
}

fn values(field: &FieldDiff) -> String {
    let text = |v: &Option<Attr>| v.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    format!(
        "{} is {}, was {}",
        field.name,
        text(&field.after),
        text(&field.before)
    )
}

fn load_balancer(
    addr: &Addr,
    items: &RecordedItems,
    desired: Option<&DesiredLoadBalancer>,
    observed: &LoadBalancer,
) -> Vec<Drift> {
    let nothing = Ignore::default();
    let mut all = Vec::new();
    for (kind, names) in items {
        for (name, attributes) in names {
            let title = format!("{} {name:?}", kind.word());
            let Some(item) = observed.item(*kind, name) else {
                let what = format!("{title} is missing");
                let mut missing = of(addr, &title, Severity::Error, DriftKind::Changed, what);
                let none = format!("what needs {title} carries no traffic");
                missing.impact.push(none);
                all.push(missing);
                continue;
            };
            let desired = desired.and_then(|lb| lb.item(*kind, name));
            let ignored = desired.map_or(&nothing, |item| &item.lifecycle.ignore_changes);
            for field in moved(kind.attributes(), attributes, &item.attributes, ignored) {
                let what = format!("{title}: {}", values(&field));
                let about = format!("{title} {}", field.name);
                let mut changed = of(addr, &about, Severity::Warning, DriftKind::Changed, what);
                if STEERING.contains(&field.name.as_str()) {
                    changed.severity = Severity::Error;
                    let other =
                        format!("packets that {title} steers go another way than was applied");
                    changed.impact.push(other);
                }
                all.push(changed);
            }
        }
    }
    all
}

fn memberships(addr: &Addr, interfaces: &[RecordedInterface], observed: &Observed) -> Vec<Drift> {
    let mut all = Vec::new();
    for interface in interfaces {
        let Some(Observation::Present(nic)) = observed.network_interfaces.get(&interface.id) else {
            continue;
        };
        let now: BTreeSet<&ArmId> = nic
            .ip_configurations
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(&interface.ip_configuration))
            .flat_map(|(_, c)| &c.backend_pools)
            .collect();
        for pool in interface.backend_pools.iter().filter(|p| !now.contains(p)) {
            let what = format!("{} is no longer in pool {:?}", nic.id.name(), pool.name());
            let about = format!("{} {}", interface.id, pool);
            let mut left = of(addr, &about, Severity::Error, DriftKind::Changed, what);
            left.impact.push(format!(
                "Azure sends {} nothing for the rules of that pool",
                addr.name()
            ));
            all.push(left);
        }
    }
    all
}

fn entry(
    addr: &Addr,
    key: &EntryKey,
    facts: &GuestFacts,
    plan: Option<&GuestPlan>,
) -> Option<Drift> {
    let EntryState {
        live,
        survives,
        claims,
    } = facts.state_of(key);
    if live && survives {
        return None;
    }
    let words = title::entry(key);
    if live && claims.is_empty() {
        // Someone else provides it now (an open firewall, an address of the admin's): nothing is missing.
        return None;
    }
    if live {
        let what = format!(
            "{words}{} would not survive a reboot",
            destination_words(key)
        );
        return Some(of(
            addr,
            &format!("{key} after a reboot"),
            Severity::Warning,
            DriftKind::WouldNotSurviveReboot,
            what,
        ));
    }
    let what = match key {
        EntryKey::Address(_) => format!("{words} is missing on {}", facts.loopback_name()),
        EntryKey::WeakHost(_) => format!("{words} is off"),
        EntryKey::Firewall(_) => format!("{words}{} is closed", destination_words(key)),
    };
    let about = key.to_string();
    let mut missing = of(addr, &about, Severity::Error, DriftKind::Changed, what);
    missing.cause = Cow::Borrowed("since the last apply: someone or something removed it");
    if let Some(plan) = plan {
        missing.impact = impact(addr, key, facts, plan);
        if missing.impact.is_empty() {
            // No rule sends anything there: it is not as applied, and nobody notices.
            missing.severity = Severity::Warning;
        }
    }
    if survives {
        let back = "it is kept over a reboot: the next one puts it back";
        missing.impact.push(back.to_owned());
    }
    Some(missing)
}

fn destination_words(key: &EntryKey) -> String {
    match key {
        EntryKey::Address(_) | EntryKey::WeakHost(_) => String::new(),
        EntryKey::Firewall(opening) => match opening.destination.known() {
            Some(address) => format!(" to {address}"),
            None => String::new(),
        },
    }
}

/// What the missing entry does to each rule that needs it. Azure only looks at the probe, which goes to the VM's own
/// address: as long as it passes, Azure goes on sending, and what it sends is lost.
fn impact(addr: &Addr, key: &EntryKey, facts: &GuestFacts, plan: &GuestPlan) -> Vec<String> {
    let mut lines = Vec::new();
    for service in &plan.needs.services {
        let same_destination = key.destination() == Some(&service.destination());
        let carries = match key {
            EntryKey::Address(_) => same_destination && service.floating,
            EntryKey::Firewall(opening) if opening.source.is_some() => {
                service.probe().is_some_and(|p| {
                    Where::Known(p.destination) == opening.destination
                        && Some(p.port) == opening.port
                })
            }
            EntryKey::WeakHost(setting) => {
                let address = service.destination().known();
                service.needs_address()
                    && address.is_some_and(|a| IpFamily::of(a) == setting.on.family())
            }
            EntryKey::Firewall(opening) => {
                same_destination
                    && service.protocol == opening.protocol
                    && service.port == opening.port
            }
        };
        if carries {
            lines.push(line(addr, key, service, facts));
        }
    }
    lines.dedup();
    lines
}

fn line(addr: &Addr, key: &EntryKey, service: &Service, facts: &GuestFacts) -> String {
    let name = addr.name();
    let frontend = service.frontend.as_ref().and_then(Where::known);
    let flow = match (frontend, service.frontend_port) {
        (Some(address), Some(port)) => {
            format!("{}:{port}/{}", bracketed(address), service.protocol)
        }
        (Some(address), None) => format!("{}, every port", bracketed(address)),
        (None, _) => service.protocol.to_string(),
    };
    let rule = &service.rule;
    let what = if service.protocol == Protocol::Udp {
        "datagrams"
    } else {
        "connections"
    };
    let is_probe = matches!(key, EntryKey::Firewall(opening) if opening.source.is_some());
    let passes = service.probe().map(|probe| probe_passes(&probe, facts));
    match (is_probe, passes) {
        (true, _) => {
            format!("{rule} {flow}: the health probe of {name} fails, so Azure sends it nothing")
        }
        (false, Some(true)) => format!(
            "{rule} {flow}: {what} that Azure sends to {name} die; its probe goes to the VM's own address and still passes"
        ),
        (false, Some(false)) => format!(
            "{rule} {flow}: {name} would not serve; its health probe fails as well, so Azure sends it nothing"
        ),
        (false, None) => {
            format!(
                "{rule} {flow}: {what} that Azure sends to {name} die; no probe takes it out of the pool"
            )
        }
    }
}

fn probe_passes(probe: &super::needs::Probe, facts: &GuestFacts) -> bool {
    let packet = Packet {
        protocol: Protocol::Tcp,
        source: Some(crate::model::guest::AZURE_PROBE_SOURCE),
        destination: probe.destination,
        port: Some(probe.port),
    };
    let admitted = matches!(facts.firewall.judge(&packet), Verdict::Admitted { .. });
    admitted
        && facts
            .listens(Protocol::Tcp, probe.destination, Some(probe.port))
            .is_some()
}

fn bracketed(address: std::net::IpAddr) -> String {
    place(address, None, Protocol::Tcp)
}

/// Without a state nobody knows what was applied: everything that is not as declared is named, with that said.
fn never_recorded(compared: &Compared<'_>) -> Vec<Drift> {
    let mut all = Vec::new();
    let mut push = |addr: &Addr, what: Arc<str>| {
        let kind = DriftKind::NeverRecorded;
        let mut drift = of(addr, &what, Severity::Warning, kind, Arc::clone(&what));
        drift.cause = Cow::Borrowed(
            "never recorded: there is no state, so this is compared with the configuration",
        );
        all.push(drift);
    };
    for plan in compared.load_balancers {
        if plan.observed.is_none() && plan.readable {
            push(&plan.addr, "it does not exist".into());
            continue;
        }
        for item in &plan.change.items {
            let title = format!("{} {:?}", item.kind.word(), item.name);
            match item.action {
                Action::Create => push(&plan.addr, format!("{title} does not exist").into()),
                Action::Update | Action::Adopt if !item.fields.is_empty() => {
                    push(&plan.addr, format!("{title} differs").into());
                }
                Action::Update
                | Action::Adopt
                | Action::NoOp
                | Action::Delete
                | Action::Replace
                | Action::Forget => {}
            }
        }
    }
    // The members of a pool miss the same things.
    let mut said: HashMap<&EntryKey, Arc<str>> = HashMap::new();
    for plan in compared.guests {
        for entry in plan
            .change
            .entries
            .iter()
            .filter(|e| matches!(e.action, Action::Create | Action::Update))
        {
            let what = said.entry(&entry.key).or_insert_with(|| {
                let (words, to) = (title::entry(&entry.key), destination_words(&entry.key));
                format!("{words}{to} is not in place").into()
            });
            push(&plan.addr, Arc::clone(what));
        }
        for membership in &plan.change.memberships {
            push(
                &plan.addr,
                format!(
                    "{} is not in pool {:?}",
                    membership.interface.name(),
                    membership.pool.name()
                )
                .into(),
            );
        }
    }
    all
}
