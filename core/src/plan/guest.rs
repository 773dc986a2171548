//! Guests: what each gains, what it loses, which pools its NICs join and leave.

use super::addressed::Addressed;
use super::addresses::PublicAddresses;
use super::fold::Fold;
use super::load_balancer::LoadBalancerPlan;
use super::needs::{Common, Entries, Member, Needs, Owner, Reach, Select, Service, needs};
use super::past::let_go;
use super::stages::Moves;
use super::{Action, Change, EntryChange, MembershipChange, MembershipEdit};
use crate::config::{Desired, DesiredGuest};
use crate::model::guest::{
    Claim, EntryKey, EntryState, FirewallKind, GuestFacts, GuestRef, Packet, RecordFact, Touch,
    Verdict,
};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, ItemKind, LoadBalancer, Shared, Where};
use crate::state::{Recorded, RecordedInterface, State, StateEdit};
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
    /// What the rules of load balancers that are written make it serve now.
    pub serving: Vec<Service>,
    /// Services that no application of it answers for.
    pub silent: Vec<Service>,
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

/// The pools that a guest's NICs are in and shall be in.
pub struct Membership {
    observed: Vec<Member>,
    after: Vec<Member>,
    joins: BTreeMap<ArmId, Vec<MembershipEdit>>,
    leaves: BTreeMap<ArmId, Vec<MembershipEdit>>,
    record: Vec<StateEdit>,
    missing: Vec<(ArmId, ArmId)>,
    blocked: Vec<String>,
}

/// Where the guest's NICs go, or the plan of one that is let go as it is.
pub fn placed(
    reference: &GuestRef,
    desired: &Desired,
    observed: &Observed,
    prior: Option<&State>,
) -> Result<Membership, Box<GuestPlan>> {
    let addr = &reference.addr;
    let declared = desired.guests.get(addr);
    let recorded = match prior.and_then(|p| p.resources.get(addr)) {
        Some(Recorded::Guest { interfaces, .. }) => interfaces.as_slice(),
        Some(Recorded::PublicIp { .. } | Recorded::LoadBalancer { .. }) | None => &[],
    };
    if declared.is_none() && let_go(addr, &desired.removed) {
        let note = "it keeps what it holds; plimsoll no longer looks after it";
        return Err(Box::new(forgotten(addr, reference, note.to_owned())));
    }
    if declared.is_none()
        && let Some(heir) = heir(recorded, desired)
    {
        let note = format!("its NIC belongs to {heir} now, which keeps what it holds");
        return Err(Box::new(forgotten(addr, reference, note)));
    }
    Ok(membership(reference, declared, recorded, desired, observed))
}

impl Membership {
    /// Pools of addresses have no NICs: whoever has the address is in them.
    pub fn by_address(&mut self, addressed: &Addressed, observed: &Observed) {
        addressed.complete(&mut self.observed, &mut self.after, observed);
    }

    pub fn joining(&self) -> impl Iterator<Item = &ArmId> {
        self.joins.values().flatten().map(|edit| &edit.pool)
    }

    /// Where the NICs are when the main writes come.
    fn between(&self, moves: &Moves) -> Vec<Member> {
        let mut members = self.observed.clone();
        for (member, after) in members.iter_mut().zip(&self.after) {
            let joined = after.pools.difference(&member.pools);
            let first: Vec<ArmId> = joined.filter(|p| moves.to.contains(p)).cloned().collect();
            member
                .pools
                .retain(|p| after.pools.contains(p) || moves.from.contains(p));
            member.pools.extend(first);
        }
        members
    }
}

pub fn guest(reference: &GuestRef, membership: Membership, around: &Surroundings<'_>) -> GuestPlan {
    let addr = &reference.addr;
    let declared = around.desired.guests.get(addr);
    let recorded = around.prior.and_then(|p| p.resources.get(addr));
    let recorded_entries = match recorded {
        Some(Recorded::Guest { entries, .. }) => entries.clone(),
        Some(Recorded::PublicIp { .. } | Recorded::LoadBalancer { .. }) | None => BTreeSet::new(),
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
            if !plan.silent.is_empty() {
                plan.serving = around.rules.written(&membership.observed).services;
            }
        }
        Some(Observation::Absent) => plan.gone = true,
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
    plan.change.action = action(&plan, recorded.is_some());
    plan
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
        blocked: Vec::new(),
    }
}

/// The declared guest that has a NIC of one that left: the same machine under another name, which must not lose anything.
fn heir<'a>(recorded: &[RecordedInterface], desired: &'a Desired) -> Option<&'a Addr> {
    let has = |guest: &DesiredGuest| {
        guest
            .interfaces
            .iter()
            .any(|i| recorded.iter().any(|r| r.id == i.id))
    };
    desired
        .guests
        .iter()
        .find(|(_, guest)| has(guest))
        .map(|(addr, _)| addr)
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

/// The rules of every load balancer, as they shall be and as they are.
#[derive(Debug)]
pub struct Rules {
    after: Vec<Reach>,
    now: Vec<Reach>,
    /// Our rules as they are now, of the load balancers that are written.
    passing: Vec<Reach>,
    common_after: Common,
    common_now: Common,
    common_passing: Common,
}

impl Rules {
    pub fn new(
        desired: &Desired,
        observed: &Observed,
        load_balancers: &[LoadBalancerPlan],
        public: &PublicAddresses,
    ) -> Self {
        let mut after = Vec::new();
        let mut passing = Vec::new();
        let mut planned: BTreeSet<&ArmId> = BTreeSet::new();
        for plan in load_balancers {
            planned.insert(&plan.id);
            if let Some(observed) = plan.observed.as_ref().filter(|_| plan.writes()) {
                passing.push(Reach::new(observed, Owner::Past(&plan.past), public));
            }
            if let Some(body) = &plan.after {
                let owner = match desired.load_balancers.get(&plan.addr) {
                    Some(declared) => Owner::Declared(declared),
                    None => Owner::Nobody,
                };
                after.push(Reach::new(body, owner, public));
            }
        }
        for data in desired.data_load_balancers.values() {
            planned.insert(&data.id);
            let found = observed.load_balancers.get(&data.id);
            let found = found.and_then(Observation::present);
            // Guests hold what the rules need that are there, and what those need that its owner announces.
            let owner = Owner::Data(data);
            if let Some(found) = found {
                after.push(Reach::new(found, owner, public));
            }
            after.push(Reach::new(&data.expected.over(found), owner, public));
        }
        let present = |(id, observation): (&ArmId, &Observation<LoadBalancer>)| {
            let reach = |lb: &LoadBalancer| Reach::new(lb, Owner::Nobody, public);
            observation.present().map(|lb| (id.clone(), reach(lb)))
        };
        let mut now = Vec::new();
        for (id, reach) in observed.load_balancers.iter().filter_map(present) {
            if !planned.contains(&id) {
                let observed = observed.load_balancers.get(&id);
                let observed = observed.and_then(Observation::present);
                after.extend(observed.map(|lb| Reach::new(lb, Owner::Nobody, public)));
            }
            now.push(reach);
        }
        Self {
            after,
            now,
            passing,
            common_after: Common::default(),
            common_now: Common::default(),
            common_passing: Common::default(),
        }
    }

    /// Whether the load balancer is there and is written.
    fn writes(&self, load_balancer: &ArmId) -> bool {
        self.passing
            .iter()
            .any(|reach| reach.load_balancer() == load_balancer)
    }

    /// What the load balancers that are written send a member now.
    fn written(&self, members: &[Member]) -> Needs {
        let all = &[Select::Declared, Select::Others];
        needs(&self.passing, members, all, &self.common_passing)
    }

    /// What our rules use that are members' before the main write of their load balancer, and after it.
    fn passing(&self, members: &[Member]) -> [Needs; 2] {
        let ours = &[Select::Declared];
        let mut both = [
            needs(&self.passing, members, ours, &self.common_passing),
            needs(&self.after, members, ours, &self.common_after),
        ];
        // Only what must be held is asked of them.
        for needs in &mut both {
            needs.services = Vec::new();
        }
        both
    }

    /// What the declared rules demand when all is done.
    fn demanded(&self, members: &[Member]) -> Needs {
        needs(
            &self.after,
            members,
            &[Select::Declared],
            &self.common_after,
        )
    }

    /// What any rule, whoever owns it, uses when all is done.
    fn kept(&self, members: &[Member]) -> Needs {
        let all = &[Select::Declared, Select::Others];
        needs(&self.after, members, all, &self.common_after)
    }

    /// What the rules use as they are now: to say which rule an entry that goes was for.
    fn used_now(&self, members: &[Member]) -> Needs {
        needs(&self.now, members, &[Select::Others], &self.common_now)
    }

    /// The load balancers whose NAT rules lead to one of the members.
    fn targeting(&self, members: &[Member]) -> impl Iterator<Item = ArmId> {
        self.after
            .iter()
            .chain(&self.now)
            .filter(|reach| members.iter().any(|member| reach.targets(member)))
            .map(|reach| reach.load_balancer().clone())
    }
}

fn membership(
    guest: &GuestRef,
    declared: Option<&DesiredGuest>,
    recorded: &[RecordedInterface],
    desired: &Desired,
    observed: &Observed,
) -> Membership {
    let addr = &guest.addr;
    let mut out = Membership {
        observed: Vec::new(),
        after: Vec::new(),
        joins: BTreeMap::new(),
        leaves: BTreeMap::new(),
        record: Vec::new(),
        missing: Vec::new(),
        blocked: Vec::new(),
    };
    let read_only: BTreeSet<&ArmId> = desired
        .data_load_balancers
        .values()
        .map(|data| &data.id)
        .collect();
    let is_read_only = |pool: &ArmId| {
        !read_only.is_empty() && pool.parent().is_some_and(|lb| read_only.contains(&lb))
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
        let is_known =
            |r: &RecordedInterface| r.id == nic && r.ip_configuration.eq_ignore_ascii_case(&name);
        if declared.is_some() && !recorded.iter().any(is_known) {
            out.record.push(StateEdit::Interface {
                addr: addr.clone(),
                interface: nic.clone(),
                ip_configuration: name.clone(),
            });
        }
        let ours: BTreeSet<ArmId> = recorded
            .iter()
            .filter(|r| r.id == nic && r.ip_configuration.eq_ignore_ascii_case(&name))
            .flat_map(|r| r.backend_pools.iter().cloned())
            .collect();
        let (configuration, failed) = match observed.network_interfaces.get(&nic) {
            Some(Observation::Present(found)) => {
                let configuration = found
                    .ip_configurations
                    .iter()
                    .find(|(n, _)| n.eq_ignore_ascii_case(&name))
                    .map(|(_, c)| c);
                (configuration, found.failed)
            }
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
            // Its owner makes it join; the guest is made ready for that.
            after.insert(pool.clone());
            if is_read_only(pool) || nic.is_of_scale_set() {
                out.missing.push((nic.clone(), pool.clone()));
                continue;
            }
            out.joins
                .entry(nic.clone())
                .or_default()
                .push(edit(pool, true));
        }
        for pool in ours.difference(&wanted) {
            if (now.contains(pool) || failed) && !is_read_only(pool) && !nic.is_of_scale_set() {
                out.leaves
                    .entry(nic.clone())
                    .or_default()
                    .push(edit(pool, false));
                after.remove(pool);
            } else {
                out.record.push(leave(addr, &nic, &name, pool));
            }
        }
        let ours_to_write = |pool: &&ArmId| !is_read_only(pool) && !nic.is_of_scale_set();
        for pool in wanted.intersection(&now).filter(ours_to_write) {
            // What failed is written again, even if it reads as asked: Azure did not bring it about.
            if failed {
                let joins = out.joins.entry(nic.clone()).or_default();
                joins.push(edit(pool, true));
            } else if !ours.contains(pool) {
                out.record.push(join(addr, &nic, &name, pool));
            }
        }
        let own_address = configuration.private_address;
        let id = nic.child("ipConfigurations", &name);
        out.observed.push(Member {
            id: id.clone(),
            os: guest.os,
            own_address,
            pools: now,
        });
        out.after.push(Member {
            id,
            os: guest.os,
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

/// The ip configurations of a guest, before and after.
#[derive(Clone, Copy)]
struct Members<'a> {
    observed: &'a [Member],
    between: &'a [Member],
    after: &'a [Member],
}

/// The entries inside the guest.
fn inside(
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
    hold_for_the_switch(plan, facts, passing, recorded, around);
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
        let action = match (&before.live, &before.survives) {
            (false, _) => Action::Create,
            (true, false) => Action::Update,
            (true, true) => Action::Adopt,
        };
        let (change, touch) = around
            .fold
            .entry(key, &before, because, how(key, facts), || {
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
                (action, after)
            });
        plan.change.entries.push(change);
        plan.ensure.push(touch);
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
        .filter(|key| !plan.release.iter().any(|held| held.key == *key))
        .collect();
    if candidates.is_empty() {
        return;
    }
    let kept = around.rules.kept(members.after);
    let unseen = unseen(members, around);
    let was_used = around.rules.used_now(members.observed);
    for key in candidates {
        let before = facts.state_of(&key);
        // What another deployment claims stays without us; what only we claim must stay for the rule that uses it.
        let is_shared = before.claims.iter().any(|claim| !is_ours(claim));
        if kept.uses(&key) && !is_shared {
            if !recorded.contains(&key) {
                plan.record.push(StateEdit::Entry {
                    addr: plan.addr.clone(),
                    key,
                });
            }
            continue;
        }
        if !before.claims.iter().any(is_ours) {
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

/// For the time of the switch the guest is a member for rules that it does not serve afterwards: rules that leave a pool which
/// it joins, or that come to a pool which it leaves. It gains what they need and loses it again.
fn hold_for_the_switch(
    plan: &mut GuestPlan,
    facts: &GuestFacts,
    passing: Entries,
    recorded: &BTreeSet<EntryKey>,
    around: &Surroundings<'_>,
) {
    for (key, because) in passing {
        let before = facts.state_of(&key);
        let is_theirs = before.claims.is_empty() && !recorded.contains(&key);
        if before.live && (is_theirs || before.claims.contains(around.claim)) {
            continue;
        }
        let others: BTreeSet<Claim> = before
            .claims
            .iter()
            .filter(|c| c.deployment != around.claim.deployment)
            .cloned()
            .collect();
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
        plan.change.notes.push(format!(
            "holds {key} for the time of the switch: it is a member of the pool of rule {}",
            rules.join(" and ")
        ));
        plan.ensure.push(Touch {
            key: key.clone(),
            before,
            after: during.clone(),
        });
        plan.release.push(Touch {
            key,
            before: during,
            after,
        });
    }
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
