//! Guests: what each gains, what it loses, which pools its NICs join and leave.

use super::addresses::PublicAddresses;
use super::load_balancer::LoadBalancerPlan;
use super::needs::{Declared, Member, Needs, Undeclared, needs};
use super::{Action, Change, EntryChange, MembershipChange, MembershipEdit, Reliance};
use crate::config::{Desired, DesiredGuest};
use crate::model::guest::{
    Claim, EntryKey, EntryState, FirewallKind, GuestFacts, GuestRef, Packet, RecordFact, Touch,
    Verdict,
};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, Where};
use crate::state::{Recorded, RecordedInterface, State, StateEdit};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one guest.
#[derive(Debug)]
pub struct GuestPlan {
    pub addr: Addr,
    pub reference: GuestRef,
    pub change: Change,
    pub ensure: Vec<Touch>,
    pub release: Vec<Touch>,
    /// Per NIC.
    pub joins: BTreeMap<ArmId, Vec<MembershipEdit>>,
    pub leaves: BTreeMap<ArmId, Vec<MembershipEdit>>,
    /// Recorded once nothing is left to do for the guest itself (adoptions and forgettings).
    pub record: Vec<StateEdit>,
    /// Entries to take out of the state when the guest was contracted.
    pub forget: Vec<EntryKey>,
    pub declared: bool,
    /// What the rules demand of it when all is done.
    pub needs: Needs,
    /// Pools it is in, before or after.
    pub pools: BTreeSet<ArmId>,
    pub relies_on: Vec<Reliance>,
    /// It could not be read, and why.
    pub unreadable: Option<String>,
    /// Azure says that the virtual machine is gone.
    pub gone: bool,
    pub blocked: Vec<String>,
}

/// What every guest is planned against.
#[derive(Debug)]
pub struct Surroundings<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub prior: Option<&'a State>,
    pub load_balancers: &'a [LoadBalancerPlan],
    pub public: &'a PublicAddresses,
    pub claim: &'a Claim,
    /// Lineages of this deployment whose claims are taken over.
    pub predecessors: &'a BTreeSet<String>,
}

/// Lineages of this deployment that guests know and that no state of ours has: taken over when there is no state.
pub fn lost_lineages(observed: &Observed, claim: &Claim) -> BTreeSet<String> {
    observed
        .guests
        .values()
        .filter_map(Observation::present)
        .filter_map(GuestFacts::record)
        .flat_map(|record| record.entries.values())
        .flat_map(|entry| &entry.claims)
        .filter(|c| c.deployment == claim.deployment && c.lineage != claim.lineage)
        .map(|c| c.lineage.clone())
        .collect()
}

struct Membership {
    observed: Vec<Member>,
    after: Vec<Member>,
    joins: BTreeMap<ArmId, Vec<MembershipEdit>>,
    leaves: BTreeMap<ArmId, Vec<MembershipEdit>>,
    record: Vec<StateEdit>,
    blocked: Vec<String>,
}

pub fn guest(addr: &Addr, reference: &GuestRef, around: &Surroundings<'_>) -> GuestPlan {
    let declared = around.desired.guests.get(addr);
    let recorded = around.prior.and_then(|p| p.resources.get(addr));
    let (recorded_interfaces, recorded_entries) = match recorded {
        Some(Recorded::Guest {
            interfaces,
            entries,
            ..
        }) => (interfaces.as_slice(), entries.clone()),
        Some(Recorded::PublicIp { .. } | Recorded::LoadBalancer { .. }) | None => {
            (&[][..], BTreeSet::new())
        }
    };
    let membership = membership(addr, declared, recorded_interfaces, around.observed);
    let wanted = demanded(around, &membership.after);
    let kept = kept(around, &membership.after);
    let was_used = used_now(around, &membership.observed);
    let pools_of = |members: &[Member]| {
        members
            .iter()
            .flat_map(|m| m.pools.iter().cloned())
            .collect::<BTreeSet<_>>()
    };

    let mut plan = GuestPlan {
        addr: addr.clone(),
        reference: reference.clone(),
        change: Change::new(addr.clone(), Action::NoOp),
        ensure: Vec::new(),
        release: Vec::new(),
        pools: pools_of(&membership.after)
            .union(&pools_of(&membership.observed))
            .cloned()
            .collect(),
        joins: membership.joins,
        leaves: membership.leaves,
        record: membership.record,
        forget: Vec::new(),
        declared: declared.is_some(),
        needs: wanted,
        relies_on: Vec::new(),
        unreadable: None,
        gone: false,
        blocked: membership.blocked,
    };
    plan.change.about = format!(
        "{} · {}",
        os_word(reference.os),
        reference.connection.describe()
    );
    plan.change.memberships = membership_changes(&plan);
    match around.observed.guests.get(addr) {
        Some(Observation::Present(facts)) => {
            inside(
                &mut plan,
                facts,
                &recorded_entries,
                &kept,
                &was_used,
                around,
            );
        }
        Some(Observation::Absent) => plan.gone = true,
        Some(Observation::Unreadable { why }) => plan.unreadable = Some(why.clone()),
        None => plan.unreadable = Some("it was not read".to_owned()),
    }
    plan.change.action = action(&plan, recorded.is_some());
    plan
}

fn os_word(os: crate::model::guest::Os) -> &'static str {
    match os {
        crate::model::guest::Os::Linux => "linux",
        crate::model::guest::Os::Windows => "windows",
    }
}

fn action(plan: &GuestPlan, recorded: bool) -> Action {
    let works = !(plan.ensure.is_empty()
        && plan.release.is_empty()
        && plan.joins.is_empty()
        && plan.leaves.is_empty());
    let adopts_only = plan
        .change
        .entries
        .iter()
        .all(|e| e.action == Action::Adopt)
        && plan.release.is_empty()
        && plan.joins.is_empty()
        && plan.leaves.is_empty();
    match (plan.declared, works) {
        (false, true) => Action::Delete,
        (false, false) => Action::Forget,
        (true, true) if adopts_only => Action::Adopt,
        (true, true) => Action::Update,
        (true, false) if !recorded || !plan.record.is_empty() || !plan.forget.is_empty() => {
            Action::Adopt
        }
        (true, false) => Action::NoOp,
    }
}

/// What the declared rules demand when all is done.
fn demanded(around: &Surroundings<'_>, members: &[Member]) -> Needs {
    let mut all = Needs::default();
    for plan in around.load_balancers {
        let (Some(after), Some(declared)) =
            (&plan.after, around.desired.load_balancers.get(&plan.addr))
        else {
            continue;
        };
        for member in members {
            all.merge(needs(after, around.public, member, &Declared(declared)));
        }
    }
    all
}

/// What any rule, whoever owns it, uses when all is done.
fn kept(around: &Surroundings<'_>, members: &[Member]) -> Needs {
    let mut all = demanded(around, members);
    for plan in around.load_balancers {
        if let Some(after) = &plan.after {
            let declared = around.desired.load_balancers.get(&plan.addr);
            for member in members {
                all.merge(needs(after, around.public, member, &Undeclared(declared)));
            }
        }
    }
    let planned: BTreeSet<&ArmId> = around.load_balancers.iter().map(|p| &p.id).collect();
    for (id, observation) in &around.observed.load_balancers {
        if let (false, Some(observed)) = (planned.contains(id), observation.present()) {
            for member in members {
                all.merge(needs(observed, around.public, member, &Undeclared(None)));
            }
        }
    }
    all
}

/// What the rules use as they are now: to say which rule an entry that goes was for.
fn used_now(around: &Surroundings<'_>, members: &[Member]) -> Needs {
    let mut all = Needs::default();
    for observed in around
        .observed
        .load_balancers
        .values()
        .filter_map(Observation::present)
    {
        for member in members {
            all.merge(needs(observed, around.public, member, &Undeclared(None)));
        }
    }
    all
}

fn membership(
    addr: &Addr,
    declared: Option<&DesiredGuest>,
    recorded: &[RecordedInterface],
    observed: &Observed,
) -> Membership {
    let mut out = Membership {
        observed: Vec::new(),
        after: Vec::new(),
        joins: BTreeMap::new(),
        leaves: BTreeMap::new(),
        record: Vec::new(),
        blocked: Vec::new(),
    };
    let mut places: BTreeMap<(ArmId, String), BTreeSet<ArmId>> = BTreeMap::new();
    for interface in declared.into_iter().flat_map(|d| &d.interfaces) {
        places
            .entry((interface.id.clone(), interface.ip_configuration.clone()))
            .or_default()
            .extend(interface.backend_pools.iter().cloned());
    }
    for known in recorded {
        places
            .entry((known.id.clone(), known.ip_configuration.clone()))
            .or_default();
    }
    for ((nic, name), wanted) in places {
        let ours: BTreeSet<ArmId> = recorded
            .iter()
            .filter(|r| r.id == nic && r.ip_configuration.eq_ignore_ascii_case(&name))
            .flat_map(|r| r.backend_pools.iter().cloned())
            .collect();
        let configuration = match observed.network_interfaces.get(&nic) {
            Some(Observation::Present(found)) => found
                .ip_configurations
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(&name))
                .map(|(_, c)| c),
            Some(Observation::Unreadable { why }) => {
                out.blocked.push(format!(
                    "network interface {} of {addr} could not be read: {why}",
                    nic.name()
                ));
                continue;
            }
            Some(Observation::Absent) | None => {
                if declared.is_some() {
                    out.blocked.push(format!(
                        "network interface {nic} of {addr} does not exist; put the id of the VM's NIC into the guest block"
                    ));
                }
                continue;
            }
        };
        let Some(configuration) = configuration else {
            out.blocked.push(format!(
                "network interface {} of {addr} has no ip configuration {name:?}",
                nic.name()
            ));
            continue;
        };
        let now: BTreeSet<ArmId> = configuration.backend_pools.iter().cloned().collect();
        let edit = |pool: &ArmId, join: bool| MembershipEdit {
            ip_configuration: name.clone(),
            pool: pool.clone(),
            join,
        };
        let mut after = now.clone();
        for pool in wanted.difference(&now) {
            out.joins
                .entry(nic.clone())
                .or_default()
                .push(edit(pool, true));
            after.insert(pool.clone());
        }
        for pool in ours.difference(&wanted) {
            if now.contains(pool) {
                out.leaves
                    .entry(nic.clone())
                    .or_default()
                    .push(edit(pool, false));
                after.remove(pool);
            } else {
                out.record.push(leave(addr, &nic, &name, pool));
            }
        }
        for pool in wanted.intersection(&now).filter(|p| !ours.contains(*p)) {
            out.record.push(join(addr, &nic, &name, pool));
        }
        let own_address = configuration.private_address;
        out.observed.push(Member {
            own_address,
            pools: now,
        });
        out.after.push(Member {
            own_address,
            pools: after,
        });
    }
    out
}

pub fn join(addr: &Addr, nic: &ArmId, ip_configuration: &str, pool: &ArmId) -> StateEdit {
    StateEdit::Join {
        addr: addr.clone(),
        interface: nic.clone(),
        ip_configuration: ip_configuration.to_owned(),
        pool: pool.clone(),
    }
}

pub fn leave(addr: &Addr, nic: &ArmId, ip_configuration: &str, pool: &ArmId) -> StateEdit {
    StateEdit::Leave {
        addr: addr.clone(),
        interface: nic.clone(),
        ip_configuration: ip_configuration.to_owned(),
        pool: pool.clone(),
    }
}

fn membership_changes(plan: &GuestPlan) -> Vec<MembershipChange> {
    let edits = plan.joins.iter().chain(&plan.leaves);
    edits
        .flat_map(|(nic, edits)| edits.iter().map(move |edit| (nic, edit)))
        .map(|(nic, edit)| MembershipChange {
            interface: nic.clone(),
            ip_configuration: edit.ip_configuration.clone(),
            pool: edit.pool.clone(),
            action: if edit.join {
                Action::Create
            } else {
                Action::Delete
            },
        })
        .collect()
}

/// The entries inside the guest.
fn inside(
    plan: &mut GuestPlan,
    facts: &GuestFacts,
    recorded: &BTreeSet<EntryKey>,
    kept: &Needs,
    was_used: &Needs,
    around: &Surroundings<'_>,
) {
    if let RecordFact::Unusable { why } = &facts.record {
        plan.blocked.push(format!("{}: {why}", plan.addr));
        return;
    }
    let is_ours = |claim: &Claim| claim.deployment == around.claim.deployment;
    let strangers: BTreeSet<&str> = facts
        .record()
        .into_iter()
        .flat_map(|r| r.entries.values())
        .flat_map(|e| &e.claims)
        .filter(|c| {
            is_ours(c)
                && c.lineage != around.claim.lineage
                && !around.predecessors.contains(&c.lineage)
        })
        .map(|c| c.lineage.as_str())
        .collect();
    if let Some(lineage) = strangers.first() {
        plan.blocked.push(format!(
            "{}: deployment {:?} already has claims in it under another state (lineage {lineage}); \
             give this configuration another deployment name, or use that state",
            plan.addr, around.claim.deployment
        ));
        return;
    }

    for (key, because) in plan.needs.entries.clone() {
        let before = facts.state_of(&key);
        let mine = before.claims.contains(around.claim);
        let stale_claims = before
            .claims
            .iter()
            .any(|c| is_ours(c) && c != around.claim);
        if before.live && before.claims.is_empty() && !recorded.contains(&key) {
            // An equal rule or address by the admin satisfies the need; it is not ours and stays theirs.
            plan.relies_on.push(Reliance::Entry {
                guest: plan.addr.clone(),
                key,
            });
            continue;
        }
        if before.live && before.survives && mine && !stale_claims {
            if !recorded.contains(&key) {
                plan.record.push(StateEdit::Entry {
                    addr: plan.addr.clone(),
                    key,
                });
            }
            continue;
        }
        let mut claims: BTreeSet<Claim> = before
            .claims
            .iter()
            .filter(|c| !is_ours(c))
            .cloned()
            .collect();
        claims.insert(around.claim.clone());
        let after = EntryState {
            live: true,
            survives: true,
            claims,
        };
        let action = match (&before.live, &before.survives) {
            (false, _) => Action::Create,
            (true, false) => Action::Update,
            (true, true) => Action::Adopt,
        };
        plan.change.entries.push(EntryChange {
            how: how(&key, facts),
            because: because.into_iter().collect(),
            action,
            key: key.clone(),
            before: before.clone(),
            after: after.clone(),
        });
        plan.ensure.push(Touch { key, before, after });
    }

    let claimed = facts
        .record()
        .into_iter()
        .flat_map(|r| &r.entries)
        .filter(|(_, entry)| entry.claims.iter().any(is_ours))
        .map(|(key, _)| key.clone());
    let candidates: BTreeSet<EntryKey> = claimed.chain(recorded.iter().cloned()).collect();
    for key in candidates {
        if plan.needs.entries.contains_key(&key) {
            continue;
        }
        if kept.uses(&key) {
            if !recorded.contains(&key) {
                plan.record.push(StateEdit::Entry {
                    addr: plan.addr.clone(),
                    key,
                });
            }
            continue;
        }
        let before = facts.state_of(&key);
        if !before.claims.iter().any(is_ours) {
            plan.forget.push(key);
            continue;
        }
        let claims: BTreeSet<Claim> = before
            .claims
            .iter()
            .filter(|c| !is_ours(c))
            .cloned()
            .collect();
        let stays = !claims.is_empty();
        let after = EntryState {
            live: stays && before.live,
            survives: stays && before.survives,
            claims,
        };
        let because = was_used.entries.get(&key).cloned().unwrap_or_default();
        plan.change.entries.push(EntryChange {
            how: how(&key, facts),
            because: because.into_iter().collect(),
            action: if stays {
                Action::Forget
            } else {
                Action::Delete
            },
            key: key.clone(),
            before: before.clone(),
            after: after.clone(),
        });
        plan.release.push(Touch { key, before, after });
    }
}

/// Where in the guest the entry lives, as its admin would say it.
fn how(key: &EntryKey, facts: &GuestFacts) -> String {
    match key {
        EntryKey::Address(_) => "on lo".to_owned(),
        EntryKey::Firewall(opening) => {
            let kind = facts.firewall.kind;
            let chain = match opening.destination {
                Where::Known(destination) => {
                    let packet = Packet {
                        protocol: opening.protocol,
                        source: opening.source,
                        destination,
                        port: opening.port,
                    };
                    match facts.firewall.judge(&packet) {
                        Verdict::Refused { chain, .. } => Some(chain),
                        Verdict::Admitted { .. } | Verdict::Unclear { .. } => None,
                    }
                }
                Where::AfterApply(_) => None,
            };
            match (kind, chain) {
                (FirewallKind::Nftables | FirewallKind::Iptables, Some(chain)) => {
                    format!("{kind}, {chain}")
                }
                (_, _) => kind.to_string(),
            }
        }
    }
}
