//! Guests: what each gains, what it loses, which pools its NICs join and leave.

mod entries;
mod membership;
mod rules;

pub use membership::{Membership, join, leave, placed};
pub use rules::Rules;

use super::fold::Fold;
use super::needs::{Member, Needs, Service};
use super::stages::Moves;
use super::{Action, Change, MembershipEdit};
use crate::config::Desired;
use crate::model::guest::{Claim, EntryKey, GuestFacts, GuestRef, Touch};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, Shared};
use crate::state::{Recorded, RecordedInterface, State, StateEdit};
use entries::{Members, inside};
use membership::membership_changes;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one guest.
#[derive(Debug)]
pub struct GuestPlan {
    pub addr: Addr,
    pub reference: GuestRef,
    pub change: Change,
    pub ensure: Shared<Touch>,
    pub release: Shared<Touch>,
    /// Per NIC.
    pub joins: BTreeMap<ArmId, Vec<MembershipEdit>>,
    pub leaves: BTreeMap<ArmId, Vec<MembershipEdit>>,
    /// What it must hold when the main write of a load balancer comes, for the rules before and after that write.
    pub between: [Needs; 2],
    /// Recorded once nothing is left to do for the guest itself (adoptions and forgettings).
    pub record: Vec<StateEdit>,
    /// Entries to take out of the state when the guest was contracted.
    pub forget: Vec<EntryKey>,
    /// What of ours stays in a guest that left the configuration: a rule still reaches it, by somebody else's doing.
    pub kept: Vec<EntryKey>,
    pub declared: bool,
    /// What the rules demand of it when all is done.
    pub needs: Needs,
    /// Pools it is in, before or after.
    pub pools: BTreeSet<ArmId>,
    /// Load balancers that send it packets, before or after: through its pools or through NAT rules.
    pub load_balancers: BTreeSet<ArmId>,
    /// Pools of someone else's load balancers that it should be in and is not; we never join those.
    pub missing: Vec<(ArmId, ArmId)>,
    /// Entries that are in place already.
    pub relies_on: Vec<EntryKey>,
    /// It could not be read, and why.
    pub unreadable: Option<String>,
    /// Azure says that the virtual machine is gone.
    pub gone: bool,
    /// A person said that it may be unready: it holds nothing up.
    pub accepted_unready: bool,
    /// What the rules of load balancers that are written make it serve until then: now, or from a join ahead of that write on.
    pub serving: Vec<Service>,
    /// Services that no application of it answers for.
    pub silent: Vec<Service>,
    /// As `silent`, of pools that it leaves only after the main write of their load balancer.
    pub silent_until_gone: Vec<Service>,
    pub blocked: Vec<String>,
}

impl GuestPlan {
    /// Whether it must hold the entry when the main write of a load balancer comes.
    pub fn holds_between(&self, key: &EntryKey) -> bool {
        self.between
            .iter()
            .any(|needs| needs.because(key).is_some())
    }
}

/// What every guest is planned against.
#[derive(Debug)]
pub struct Surroundings<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub prior: Option<&'a State>,
    pub rules: &'a Rules,
    /// Pools that NICs join before the main write of their load balancer, or leave only after it.
    pub moves: &'a Moves,
    pub claim: &'a Claim,
    /// Lineages of this deployment whose claims are taken over.
    pub predecessors: &'a BTreeSet<String>,
    pub fold: Fold,
    pub accept_unready: &'a BTreeSet<Addr>,
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

pub fn guest(reference: &GuestRef, membership: Membership, around: &Surroundings<'_>) -> GuestPlan {
    let addr = &reference.addr;
    let declared = around.desired.guests.get(addr);
    let recorded = around.prior.and_then(|p| p.resources.get(addr));
    let recorded_entries = match recorded {
        Some(Recorded::Guest { entries, .. }) => entries.clone(),
        Some(
            Recorded::PublicIpPrefix { .. }
            | Recorded::PublicIp { .. }
            | Recorded::LoadBalancer { .. },
        )
        | None => BTreeSet::new(),
    };
    let between = membership.between(around.moves);
    let wanted = around.rules.demanded(&membership.after);
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
        ensure: Shared::default(),
        release: Shared::default(),
        pools: pools_of(&membership.after)
            .union(&pools_of(&membership.observed))
            .cloned()
            .collect(),
        joins: membership.joins,
        leaves: membership.leaves,
        between: <[Needs; 2]>::default(),
        record: membership.record,
        forget: Vec::new(),
        kept: Vec::new(),
        declared: declared.is_some(),
        needs: wanted,
        load_balancers: BTreeSet::new(),
        missing: membership.missing,
        relies_on: Vec::new(),
        unreadable: None,
        gone: false,
        accepted_unready: false,
        serving: Vec::new(),
        silent: Vec::new(),
        silent_until_gone: Vec::new(),
        blocked: membership.blocked,
    };
    plan.load_balancers = plan.pools.iter().filter_map(ArmId::parent).collect();
    plan.load_balancers
        .extend(around.rules.targeting(&membership.after));
    plan.change.about = format!(
        "{} · {}",
        os_word(reference.os),
        reference.connection.describe()
    );
    plan.change.memberships = membership_changes(&plan);
    // A guest that left the configuration is undone through the connection that was recorded last.
    if let Some(Recorded::Guest { os, connection, .. }) = recorded
        && (*os != reference.os || *connection != reference.connection)
    {
        plan.record.push(StateEdit::Guest {
            addr: addr.clone(),
            os: reference.os,
            connection: reference.connection.clone(),
        });
    }
    match around.observed.guests.get(addr) {
        Some(Observation::Present(facts)) => {
            let members = Members {
                observed: &membership.observed,
                between: &between,
                after: &membership.after,
            };
            inside(&mut plan, facts, &recorded_entries, members, around);
            let unheard = |s: &&Service| !facts.answers(s.protocol, &s.destination(), s.port);
            let services = plan.needs.services.iter();
            plan.silent = services.filter(unheard).cloned().collect();
            if !plan.leaves.is_empty() {
                let mut then = around.rules.demanded(&between).services;
                then.retain(|service| unheard(&service) && !plan.silent.contains(service));
                plan.silent_until_gone = then;
            }
            if !(plan.silent.is_empty() && plan.silent_until_gone.is_empty()) {
                let until_then = [membership.observed.as_slice(), &between].concat();
                plan.serving = around.rules.written(&until_then).services;
            }
        }
        Some(Observation::Absent) => plan.gone = true,
        Some(Observation::Unreadable { .. }) if is_deleted(&plan, recorded, around.observed) => {
            plan.gone = true;
        }
        Some(Observation::Unreadable { why }) => plan.unreadable = Some(why.clone()),
        // Nobody asked it, and nothing is asked of it.
        None if recorded.is_some() && is_as_recorded(&plan, &recorded_entries, around.rules) => {}
        None => {
            let why = "it was not asked, and something may change for it";
            plan.unreadable = Some(why.to_owned());
        }
    }
    plan.accepted_unready = around.accept_unready.contains(addr);
    if plan.accepted_unready && plan.unreadable.is_some() && !plan.joins.is_empty() {
        // Accepted is that others go on without it, not that it loses what Azure would send it.
        plan.joins.clear();
        plan.change.memberships = membership_changes(&plan);
        let note = "it joins no pool until it can be read";
        plan.change.notes.push(note.to_owned());
    }
    if !plan.kept.is_empty() {
        let note = "a rule still reaches it: the state keeps it until none does";
        plan.change.notes.push(note.to_owned());
    }
    plan.change.action = action(&plan, recorded.is_some());
    plan
}

/// A virtual machine has network interfaces as long as it exists, and nobody answers over ssh for one that does not. So one
/// that left the configuration is gone where Azure has none of its interfaces any more.
fn is_deleted(plan: &GuestPlan, recorded: Option<&Recorded>, observed: &Observed) -> bool {
    let Some(Recorded::Guest { interfaces, .. }) = recorded else {
        return false;
    };
    let is_absent = |known: &RecordedInterface| {
        observed.network_interfaces.get(&known.id) == Some(&Observation::Absent)
    };
    !plan.declared && !interfaces.is_empty() && interfaces.iter().all(is_absent)
}

/// Whether the state has all that a guest needs and nothing else, and its load balancers stay as they are.
fn is_as_recorded(plan: &GuestPlan, recorded: &BTreeSet<EntryKey>, rules: &Rules) -> bool {
    plan.declared
        && plan.joins.is_empty()
        && plan.leaves.is_empty()
        && plan.record.is_empty()
        && plan.needs.entries().map(|(key, _)| key).eq(recorded)
        && !plan.load_balancers.iter().any(|id| rules.writes(id))
}

/// One that the configuration lets go: its NICs stay in their pools and it keeps what it holds.
fn forgotten(addr: &Addr, reference: &GuestRef, note: String) -> GuestPlan {
    let mut change = Change::new(addr.clone(), Action::Forget);
    change.about = format!(
        "{} · {}",
        os_word(reference.os),
        reference.connection.describe()
    );
    change.notes.push(note);
    GuestPlan {
        addr: addr.clone(),
        reference: reference.clone(),
        change,
        ensure: Shared::default(),
        release: Shared::default(),
        joins: BTreeMap::new(),
        leaves: BTreeMap::new(),
        between: <[Needs; 2]>::default(),
        record: Vec::new(),
        forget: Vec::new(),
        kept: Vec::new(),
        declared: false,
        needs: Needs::default(),
        pools: BTreeSet::new(),
        load_balancers: BTreeSet::new(),
        missing: Vec::new(),
        relies_on: Vec::new(),
        unreadable: None,
        gone: false,
        accepted_unready: false,
        serving: Vec::new(),
        silent: Vec::new(),
        silent_until_gone: Vec::new(),
        blocked: Vec::new(),
    }
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
        // The state goes on with it, so that it is taken back once nobody needs it.
        (false, false) if !plan.kept.is_empty() && recorded && plan.record.is_empty() => {
            Action::NoOp
        }
        (false, false) if !plan.kept.is_empty() => Action::Adopt,
        (false, false) => Action::Forget,
        (true, true) if adopts_only => Action::Adopt,
        (true, true) => Action::Update,
        (true, false) if !recorded || !plan.record.is_empty() || !plan.forget.is_empty() => {
            Action::Adopt
        }
        (true, false) => Action::NoOp,
    }
}
