//! What a guest gains and loses inside: its entries, each compared with what is there and with who claims it.

use super::{GuestPlan, Surroundings};
use crate::model::guest::{
    Claim, EntryKey, EntryState, FirewallKind, GuestFacts, Packet, RecordFact, Touch, Verdict,
};
use crate::model::observed::Observation;
use crate::model::{ArmId, ItemKind, Where};
use crate::plan::needs::{Entries, Member, Needs};
use crate::plan::{Action, EntryChange};
use crate::state::StateEdit;
use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// The ip configurations of a guest, before and after.
#[derive(Clone, Copy)]
pub(super) struct Members<'a> {
    pub(super) observed: &'a [Member],
    pub(super) between: &'a [Member],
    pub(super) after: &'a [Member],
}

/// The entries inside the guest.
pub(super) fn inside(
    plan: &mut GuestPlan,
    facts: &GuestFacts,
    recorded: &BTreeSet<EntryKey>,
    members: Members<'_>,
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

    plan.between = around.rules.passing(members.between);
    let mut passing = Entries::new();
    for needs in &plan.between {
        let beyond = needs.beyond(&plan.needs);
        passing.extend(beyond.map(|(key, because)| (key.clone(), because.clone())));
    }
    let kept = LazyCell::new(|| around.rules.kept(members.after));
    let held = hold_for_the_switch(plan, facts, passing, recorded, &kept, around);
    let needs = std::mem::take(&mut plan.needs);
    for (key, because) in needs.entries() {
        let before = facts.state_of(key);
        let mine = before.claims.contains(around.claim);
        let stale_claims = before
            .claims
            .iter()
            .any(|c| is_ours(c) && c != around.claim);
        if before.live && before.claims.is_empty() && !recorded.contains(key) {
            // An equal rule or address by the admin satisfies the need; it is not ours and stays theirs.
            plan.relies_on.push(key.clone());
            continue;
        }
        if !plan.declared {
            plan.kept.push(key.clone());
        }
        if before.live && before.survives && mine && !stale_claims {
            plan.relies_on.push(key.clone());
            if !recorded.contains(key) {
                plan.record.push(StateEdit::Entry {
                    addr: plan.addr.clone(),
                    key: key.clone(),
                });
            }
            continue;
        }
        gain(plan, facts, key, &before, because, around);
    }
    plan.needs = needs;

    let claimed = facts
        .record()
        .into_iter()
        .flat_map(|r| &r.entries)
        .filter(|(_, entry)| entry.claims.iter().any(is_ours))
        .map(|(key, _)| key.clone());
    let candidates: BTreeSet<EntryKey> = claimed.chain(recorded.iter().cloned()).collect();
    let candidates: Vec<EntryKey> = candidates
        .into_iter()
        .filter(|key| plan.needs.because(key).is_none())
        .filter(|key| !held.contains(key))
        .collect();
    if candidates.is_empty() {
        return;
    }
    let unseen = unseen(members, around);
    let was_used = around.rules.used_now(members.observed);
    for key in candidates {
        let before = facts.state_of(&key);
        // What another deployment claims stays without us; what only we claim must stay for the rule that uses it.
        let is_shared = before.claims.iter().any(|claim| !is_ours(claim));
        let is_mine = before.claims.iter().any(is_ours);
        // What is not there serves nobody: then it is given up like any other.
        if let Some(because) = kept.because(&key).filter(|_| before.live && !is_shared) {
            if !plan.declared && is_mine {
                plan.kept.push(key.clone());
            }
            if is_mine && !before.survives {
                gain(plan, facts, &key, &before, because, around);
            } else if !recorded.contains(&key) {
                plan.record.push(StateEdit::Entry {
                    addr: plan.addr.clone(),
                    key,
                });
            }
            continue;
        }
        if !is_mine {
            plan.forget.push(key);
            continue;
        }
        if let Some(why) = unseen.first().filter(|_| !is_shared) {
            plan.blocked.push(format!(
                "{}: nothing can be taken away while not every rule that reaches it is known: {why}",
                plan.addr
            ));
            return;
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
        let because = was_used.because(&key).cloned().unwrap_or_default();
        plan.change.entries.push(EntryChange {
            how: how(&key, facts),
            because: because.iter().map(ToString::to_string).collect(),
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

/// The entry is to be there, with our claim beside those of others.
fn gain(
    plan: &mut GuestPlan,
    facts: &GuestFacts,
    key: &EntryKey,
    before: &EntryState,
    because: &BTreeSet<Arc<str>>,
    around: &Surroundings<'_>,
) {
    let after = || {
        let action = match (before.live, before.survives) {
            (false, _) => Action::Create,
            (true, false) => Action::Update,
            (true, true) => Action::Adopt,
        };
        let others = |c: &&Claim| c.deployment != around.claim.deployment;
        let mut claims: BTreeSet<Claim> = before.claims.iter().filter(others).cloned().collect();
        claims.insert(around.claim.clone());
        let after = EntryState {
            live: true,
            survives: true,
            claims,
        };
        (action, after)
    };
    let (change, touch) = around
        .fold
        .entry(key, before, because, how(key, facts), after);
    plan.change.entries.push(change);
    plan.ensure.push(touch);
}

/// For the time of the switch the guest is a member for rules that it does not serve afterwards: rules that leave a pool which
/// it joins, or that come to a pool which it leaves. It gains what they need and loses it again, unless somebody else's rule
/// comes to be served by it. Answers what it is that is held.
fn hold_for_the_switch(
    plan: &mut GuestPlan,
    facts: &GuestFacts,
    passing: Entries,
    recorded: &BTreeSet<EntryKey>,
    kept: &impl Deref<Target = Needs>,
    around: &Surroundings<'_>,
) -> BTreeSet<EntryKey> {
    let mut held = BTreeSet::new();
    for (key, because) in passing {
        let before = facts.state_of(&key);
        let is_theirs = before.claims.is_empty() && !recorded.contains(&key);
        // Also ours under a lost state: whether it goes is decided where all that we claim is.
        let is_ours = |claim: &Claim| claim.deployment == around.claim.deployment;
        if before.live && (is_theirs || before.claims.iter().any(is_ours)) {
            continue;
        }
        let others: BTreeSet<Claim> = before
            .claims
            .iter()
            .filter(|c| !is_ours(c))
            .cloned()
            .collect();
        let stays = others.is_empty() && kept.uses(&key);
        let mut claims = others.clone();
        claims.insert(around.claim.clone());
        let during = EntryState {
            live: true,
            survives: true,
            claims,
        };
        let after = EntryState {
            live: !others.is_empty(),
            survives: !others.is_empty(),
            claims: others,
        };
        let rules: Vec<&str> = because.iter().map(|rule| &**rule).collect();
        let why = format!("it is a member of the pool of rule {}", rules.join(" and "));
        plan.change.notes.push(if stays {
            format!("gains {key} for the switch and keeps it: {why}, and a rule that is not ours is served by it, too")
        } else {
            format!("holds {key} for the time of the switch: {why}")
        });
        plan.ensure.push(Touch {
            key: key.clone(),
            before,
            after: during.clone(),
        });
        held.insert(key.clone());
        if stays {
            if !plan.declared {
                plan.kept.push(key);
            }
            continue;
        }
        plan.release.push(Touch {
            key,
            before: during,
            after,
        });
    }
    held
}

/// What could not be read of the rules that reach the guest: a load balancer that one of its NICs is in, or the address of
/// a frontend. An unread rule is not an absent one.
fn unseen(members: Members<'_>, around: &Surroundings<'_>) -> Vec<String> {
    let pools: BTreeSet<&ArmId> = members
        .observed
        .iter()
        .chain(members.after)
        .flat_map(|m| &m.pools)
        .collect();
    let mut all = Vec::new();
    for id in pools
        .iter()
        .filter_map(|pool| pool.parent())
        .collect::<BTreeSet<_>>()
    {
        let found = match around.observed.load_balancers.get(&id) {
            Some(Observation::Present(found)) => found,
            Some(Observation::Absent) => continue,
            Some(Observation::Unreadable { why }) => {
                all.push(format!(
                    "load balancer {} could not be read: {why}",
                    id.name()
                ));
                continue;
            }
            None => {
                all.push(format!("load balancer {} was not read", id.name()));
                continue;
            }
        };
        for rule in found
            .rules()
            .filter(|rule| rule.pools().any(|pool| pools.contains(&pool)))
        {
            let frontend = rule
                .frontend()
                .and_then(|id| found.by_id(ItemKind::Frontend, id.as_str()));
            let Some(address) = frontend.and_then(|f| f.text("public_ip")).map(ArmId::new) else {
                continue;
            };
            match around.observed.public_ips.get(&address) {
                Some(Observation::Present(_) | Observation::Absent) => {}
                Some(Observation::Unreadable { why }) => all.push(format!(
                    "public IP address {} of rule {:?} could not be read: {why}",
                    address.name(),
                    rule.name()
                )),
                None => all.push(format!(
                    "public IP address {} of rule {:?} was not read",
                    address.name(),
                    rule.name()
                )),
            }
        }
    }
    all
}

/// Where in the guest the entry lives, as its admin would say it.
fn how(key: &EntryKey, facts: &GuestFacts) -> String {
    match key {
        EntryKey::Address(_) => format!("on {}", facts.loopback_name()),
        EntryKey::WeakHost(setting) => facts
            .interface_of(setting)
            .map(|interface| interface.name.clone())
            .unwrap_or_default(),
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
