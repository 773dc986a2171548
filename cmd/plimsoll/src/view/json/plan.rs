//! The plan with names of its own, so that core may change without breaking those who read it.

use super::diagnostic::{self, Diagnostic, Place};
use crate::view::PlanShown;
use plimsoll_core::model::{self, Attr};
use plimsoll_core::plan::{self, Action, Effect, Mode, StepAction};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What would change, in which order, and what that does to traffic.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Plan {
    /// When the world was read, RFC 3339.
    created: String,
    deployment: String,
    mode: PlanMode,
    /// Made against the local lab.
    lab: bool,
    /// Everything was read.
    complete: bool,
    /// `plimsoll apply` takes it.
    applyable: bool,
    /// Why it may not be applied, or what could not be read.
    blocked: Vec<String>,
    has_changes: bool,
    counts: Counts,
    reads: Reads,
    changes: Vec<Change>,
    /// What is sent, in an order that serves; a step waits for those in `after`.
    steps: Vec<Step>,
    traffic: Vec<Traffic>,
    drift: Vec<Drift>,
    findings: Vec<Finding>,
    /// The configuration's outputs by name.
    outputs: BTreeMap<String, serde_json::Value>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlanMode {
    Apply,
    Destroy,
}

/// How many of what: load balancers, public IPs and what they hold. Guests are counted apart.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Counts {
    add: usize,
    change: usize,
    replace: usize,
    destroy: usize,
    adopt: usize,
    forget: usize,
    /// Machines in which something changes.
    guests: usize,
    azure_writes: usize,
    /// Destinations whose traffic ends or changes.
    interrupts: usize,
}

/// How much was read to make the plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Reads {
    load_balancers: usize,
    public_ips: usize,
    network_interfaces: usize,
    guests: usize,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionWord {
    NoOp,
    Create,
    Update,
    Replace,
    Delete,
    /// It exists and is ours from now on.
    Adopt,
    /// It is no longer looked after.
    Forget,
}

/// One resource of the configuration or of the state.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Change {
    /// `load_balancer.web`, `guest.vm["a"]`
    address: String,
    r#type: &'static str,
    action: ActionWord,
    /// For people: `Standard · rg-web · westeurope`.
    about: String,
    /// Where it stands in the configuration.
    place: Option<Place>,
    fields: Vec<Field>,
    /// Parts of a load balancer.
    items: Vec<Item>,
    /// What a guest holds.
    entries: Vec<Entry>,
    memberships: Vec<Membership>,
    /// Parts that are neither in the configuration nor in the state: kept.
    foreign: Vec<Foreign>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Field {
    name: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// The value of an attribute.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Item {
    r#type: &'static str,
    name: String,
    action: ActionWord,
    about: String,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Entry {
    /// What it is: `address 65.52.0.1`, `firewall tcp port 80 to 65.52.0.1`.
    entry: String,
    action: ActionWord,
    /// For people: `on lo`.
    how: String,
    /// The rules it is for.
    rules: Vec<String>,
    before: EntryState,
    after: EntryState,
}

/// Running now and surviving a reboot are two facts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EntryState {
    now: bool,
    after_reboot: bool,
    /// Who claims it.
    claims: Vec<Claim>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Claim {
    deployment: String,
    lineage: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Membership {
    /// An id of Azure Resource Manager.
    network_interface: String,
    ip_configuration: String,
    /// An id of Azure Resource Manager.
    backend_pool: String,
    action: ActionWord,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Foreign {
    r#type: &'static str,
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Step {
    step: u32,
    phase: PhaseWord,
    address: String,
    does: Does,
    title: String,
    after: Vec<After>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PhaseWord {
    Expand,
    Switch,
    Contract,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Does {
    PutPublicIp,
    DeletePublicIp,
    PutLoadBalancer,
    DeleteLoadBalancer,
    PutNetworkInterface,
    GuestScript,
    WaitForListeners,
    Drain,
    Record,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct After {
    step: u32,
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Traffic {
    /// An address, or `known after apply: ` and the id of what will have it.
    destination: String,
    /// `null` is every port.
    port: Option<u16>,
    protocol: &'static str,
    load_balancer: String,
    rule: String,
    members: usize,
    effect: EffectWord,
    /// The step after which it happens.
    after_step: Option<u32>,
    /// Of the members, those that are ready when traffic begins.
    ready_members: Option<usize>,
    /// What changes.
    what: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EffectWord {
    NotInterrupted,
    Begins,
    Ends,
    Changes,
}

/// Observed differs from what was last applied.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Drift {
    /// The same drift has the same id in every run.
    id: String,
    address: String,
    severity: SeverityWord,
    kind: DriftKind,
    what: String,
    /// What it does to traffic, a sentence for each rule.
    impact: Vec<String>,
    cause: String,
    place: Option<Place>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DriftKind {
    Changed,
    WouldNotSurviveReboot,
    NotYetApplied,
    NeverRecorded,
    Cluster,
}

/// A check's result.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Finding {
    /// The same finding has the same id in every run.
    id: String,
    /// `plimsoll explain CODE` says more.
    code: String,
    severity: SeverityWord,
    address: Option<String>,
    what: String,
    notes: Vec<String>,
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SeverityWord {
    Error,
    Warning,
    Advice,
}

pub(super) fn plan(shown: &PlanShown<'_>) -> Plan {
    let plan = shown.plan;
    let summary = plan.summary();
    let tally = &summary.tally;
    Plan {
        created: plan.created.clone(),
        deployment: plan.deployment.clone(),
        mode: match plan.mode {
            Mode::Apply => PlanMode::Apply,
            Mode::Destroy => PlanMode::Destroy,
        },
        lab: plan.lab,
        complete: plan.complete,
        applyable: plan.applyable,
        blocked: plan.blocked.clone(),
        has_changes: plan.has_changes(),
        counts: Counts {
            add: tally.of(Action::Create),
            change: tally.of(Action::Update),
            replace: tally.of(Action::Replace),
            destroy: tally.of(Action::Delete),
            adopt: tally.of(Action::Adopt),
            forget: tally.of(Action::Forget),
            guests: tally.guests,
            azure_writes: tally.writes,
            interrupts: summary.interruptions.len(),
        },
        reads: Reads {
            load_balancers: plan.reads.load_balancers,
            public_ips: plan.reads.public_ips,
            network_interfaces: plan.reads.network_interfaces,
            guests: plan.reads.guests,
        },
        changes: plan.changes.iter().map(|c| change(c, shown)).collect(),
        steps: plan.steps.iter().map(step).collect(),
        traffic: plan.traffic.iter().map(traffic).collect(),
        drift: plan.drift.iter().map(|d| drift(d, shown)).collect(),
        findings: plan.findings.iter().map(|f| finding(f, shown)).collect(),
        outputs: plan
            .outputs
            .iter()
            .map(|o| (o.name.clone(), o.value.clone()))
            .collect(),
        diagnostics: diagnostic::list(shown.told),
    }
}

fn action(action: Action) -> ActionWord {
    match action {
        Action::NoOp => ActionWord::NoOp,
        Action::Create => ActionWord::Create,
        Action::Update => ActionWord::Update,
        Action::Replace => ActionWord::Replace,
        Action::Delete => ActionWord::Delete,
        Action::Adopt => ActionWord::Adopt,
        Action::Forget => ActionWord::Forget,
    }
}

pub(super) fn severity(severity: model::Severity) -> SeverityWord {
    match severity {
        model::Severity::Error => SeverityWord::Error,
        model::Severity::Warning => SeverityWord::Warning,
        model::Severity::Advice => SeverityWord::Advice,
    }
}

fn value(value: &Attr) -> Value {
    match value {
        Attr::Bool(value) => Value::Bool(*value),
        Attr::Int(value) => Value::Int(*value),
        Attr::Text(value) => Value::Text(value.clone()),
        Attr::List(value) => Value::List(value.clone()),
        Attr::Map(value) => Value::Map(value.clone()),
    }
}

fn fields(fields: &[model::FieldDiff]) -> Vec<Field> {
    fields
        .iter()
        .map(|field| Field {
            name: field.name.clone(),
            before: field.before.as_ref().map(value),
            after: field.after.as_ref().map(value),
        })
        .collect()
}

fn entry_state(state: &model::guest::EntryState) -> EntryState {
    EntryState {
        now: state.live,
        after_reboot: state.survives,
        claims: state
            .claims
            .iter()
            .map(|claim| Claim {
                deployment: claim.deployment.clone(),
                lineage: claim.lineage.clone(),
            })
            .collect(),
    }
}

fn change(change: &plan::Change, shown: &PlanShown<'_>) -> Change {
    Change {
        address: change.addr.to_string(),
        r#type: change.addr.kind.word(),
        action: action(change.action),
        about: change.about.clone(),
        place: shown.places.of(&change.addr, "").map(Place::from),
        fields: fields(&change.fields),
        items: change
            .items
            .iter()
            .map(|item| Item {
                r#type: item.kind.word(),
                name: item.name.clone(),
                action: action(item.action),
                about: item.about.clone(),
                fields: fields(&item.fields),
            })
            .collect(),
        entries: change
            .entries
            .iter()
            .map(|entry| Entry {
                entry: entry.key.to_string(),
                action: action(entry.action),
                how: entry.how.clone(),
                rules: entry.because.clone(),
                before: entry_state(&entry.before),
                after: entry_state(&entry.after),
            })
            .collect(),
        memberships: change
            .memberships
            .iter()
            .map(|membership| Membership {
                network_interface: membership.interface.to_string(),
                ip_configuration: membership.ip_configuration.clone(),
                backend_pool: membership.pool.to_string(),
                action: action(membership.action),
            })
            .collect(),
        foreign: change
            .foreign
            .iter()
            .map(|foreign| Foreign {
                r#type: foreign.kind.word(),
                name: foreign.name.clone(),
            })
            .collect(),
        notes: change.notes.clone(),
    }
}

fn step(step: &plan::Step) -> Step {
    Step {
        step: step.id.0,
        phase: match step.phase {
            plan::Phase::Expand => PhaseWord::Expand,
            plan::Phase::Switch => PhaseWord::Switch,
            plan::Phase::Contract => PhaseWord::Contract,
        },
        address: step.addr.to_string(),
        does: match &step.action {
            StepAction::PutPublicIp { .. } => Does::PutPublicIp,
            StepAction::DeletePublicIp { .. } => Does::DeletePublicIp,
            StepAction::PutLoadBalancer { .. } => Does::PutLoadBalancer,
            StepAction::DeleteLoadBalancer { .. } => Does::DeleteLoadBalancer,
            StepAction::PutNetworkInterface { .. } => Does::PutNetworkInterface,
            StepAction::Guest(_) => Does::GuestScript,
            StepAction::WaitForListeners { .. } => Does::WaitForListeners,
            StepAction::Drain { .. } => Does::Drain,
            StepAction::Record => Does::Record,
        },
        title: step.title.clone(),
        after: step
            .after
            .iter()
            .map(|edge| After {
                step: edge.step.0,
                why: edge.why.clone(),
            })
            .collect(),
    }
}

fn traffic(flow: &plan::Traffic) -> Traffic {
    let (effect, after_step, ready_members, what) = match &flow.effect {
        Effect::NotInterrupted => (EffectWord::NotInterrupted, None, None, None),
        Effect::Begins { after, ready } => (EffectWord::Begins, Some(after.0), Some(*ready), None),
        Effect::Ends { after } => (EffectWord::Ends, Some(after.0), None, None),
        Effect::Changes { after, what } => {
            (EffectWord::Changes, Some(after.0), None, Some(what.clone()))
        }
    };
    Traffic {
        destination: text(&flow.destination),
        port: flow.port,
        protocol: flow.protocol.word(),
        load_balancer: flow.load_balancer.to_string(),
        rule: flow.rule.clone(),
        members: flow.members,
        effect,
        after_step,
        ready_members,
        what,
    }
}

/// As core writes it into its own files.
pub(super) fn text(place: &model::Where) -> String {
    match serde_json::to_value(place) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => place.to_string(),
    }
}

pub(super) fn drift(drift: &plan::Drift, shown: &PlanShown<'_>) -> Drift {
    Drift {
        id: drift.id.clone(),
        address: drift.addr.to_string(),
        severity: severity(drift.severity),
        kind: match drift.kind {
            plan::DriftKind::Changed => DriftKind::Changed,
            plan::DriftKind::WouldNotSurviveReboot => DriftKind::WouldNotSurviveReboot,
            plan::DriftKind::NotYetApplied => DriftKind::NotYetApplied,
            plan::DriftKind::NeverRecorded => DriftKind::NeverRecorded,
            plan::DriftKind::Cluster => DriftKind::Cluster,
        },
        what: drift.what.to_string(),
        impact: drift.impact.clone(),
        cause: drift.cause.to_string(),
        place: shown.places.of(&drift.addr, &drift.what).map(Place::from),
    }
}

pub(super) fn finding(finding: &plan::Finding, shown: &PlanShown<'_>) -> Finding {
    Finding {
        id: finding.id(),
        code: finding.code.to_string(),
        severity: severity(finding.severity),
        address: finding.addr.as_ref().map(ToString::to_string),
        what: finding.what.to_string(),
        notes: finding.notes.iter().map(ToString::to_string).collect(),
        place: finding
            .addr
            .as_ref()
            .and_then(|addr| shown.places.of(addr, &finding.what))
            .map(Place::from),
    }
}
