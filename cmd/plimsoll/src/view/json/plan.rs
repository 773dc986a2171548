//! The plan with names of its own, so that core may change without breaking those who read it.

use super::change::{ActionWord, Change, action, change};
use super::diagnostic::{self, Diagnostic};
use super::noticed::{Drift, Finding, drift, finding};
use crate::view::{GuestScript, PlanShown};
use plimsoll_core::model;
use plimsoll_core::model::guest::Os;
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
    cost: Cost,
    changes: Vec<Change>,
    /// Changes that this plan does not make, because of --target or --exclude.
    left_out: Vec<LeftOut>,
    /// Guests that may stay unready: nothing waits for them (--accept-unready).
    accepted_unready: Vec<String>,
    /// What is sent, in an order that serves; a step waits for those in `after`.
    steps: Vec<Step>,
    /// What guests are sent (--show-scripts), each as it would be sent now; empty where nobody asked.
    scripts: Vec<Script>,
    traffic: Vec<Traffic>,
    drift: Vec<Drift>,
    /// What the configuration asks for since the last apply: nobody moved it.
    not_yet_applied: Vec<Drift>,
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

/// What applying takes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Cost {
    /// PUTs and DELETEs that Azure gets.
    azure_writes: usize,
    /// Requests to Azure, the check before the first write and one poll for each write included.
    azure_requests: usize,
    guest_scripts: usize,
    /// The longest chain of steps that wait for each other, at Azure's usual pace; the lab has a pace of its own.
    seconds: u64,
    /// How much of that is spent on letting connections end.
    drain_seconds: u64,
    /// Guests worked on at the same time; `null` is no bound.
    max_parallel: Option<u32>,
    /// Members of one pool in work or failed at the same time; `null` is no bound.
    max_unavailable: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LeftOut {
    address: String,
    action: ActionWord,
    why: String,
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
pub(super) struct Script {
    step: u32,
    guest: String,
    os: OsWord,
    /// The exact text; `null` where there is none yet.
    text: Option<String>,
    /// Why there is none.
    missing: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OsWord {
    Linux,
    Windows,
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
    PutPublicIpPrefix,
    DeletePublicIpPrefix,
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
    /// Of the members, those that were seen to have an application where the packets arrive.
    answering_members: usize,
    effect: EffectWord,
    /// The step after which it happens.
    after_step: Option<u32>,
    /// Of the members, those that are ready when traffic begins.
    ready_members: Option<usize>,
    /// What changes.
    what: Option<String>,
    /// Members that serve it now and stop to on the way.
    lost: Option<Lost>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Lost {
    /// The most at one moment.
    members: usize,
    /// Of so many that serve it now.
    of: usize,
    /// The step after which they are lost.
    from_step: u32,
    /// The step after which they serve again; `null` is never.
    until_step: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EffectWord {
    NotInterrupted,
    Begins,
    Ends,
    Changes,
}

pub(super) fn plan(shown: &PlanShown<'_>) -> Plan {
    let plan = shown.plan;
    let summary = plan.summary();
    let tally = &summary.tally;
    Plan {
        created: plan.created.clone(),
        deployment: plan.deployment.clone(),
        mode: mode(plan.mode),
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
        cost: cost(plan),
        changes: plan.changes.iter().map(|c| change(c, shown)).collect(),
        left_out: plan
            .left_out
            .iter()
            .map(|left| LeftOut {
                address: left.addr.to_string(),
                action: action(left.action),
                why: left.why.clone(),
            })
            .collect(),
        accepted_unready: plan
            .accepted_unready
            .iter()
            .map(ToString::to_string)
            .collect(),
        steps: plan.steps.iter().map(step).collect(),
        scripts: shown.scripts.iter().map(script).collect(),
        traffic: plan.traffic.iter().map(traffic).collect(),
        drift: plan.drift.iter().map(|d| drift(d, shown)).collect(),
        not_yet_applied: plan
            .not_yet_applied
            .iter()
            .map(|d| drift(d, shown))
            .collect(),
        findings: plan.findings.iter().map(|f| finding(f, shown)).collect(),
        outputs: plan
            .outputs
            .iter()
            .map(|o| (o.name.clone(), o.value.clone()))
            .collect(),
        diagnostics: diagnostic::list(shown.told),
    }
}

pub(super) fn mode(mode: Mode) -> PlanMode {
    match mode {
        Mode::Apply => PlanMode::Apply,
        Mode::Destroy => PlanMode::Destroy,
    }
}

fn cost(plan: &plan::Plan) -> Cost {
    let cost = plan.cost();
    Cost {
        azure_writes: cost.writes,
        azure_requests: cost.requests,
        guest_scripts: cost.scripts,
        seconds: cost.seconds,
        drain_seconds: cost.drain_seconds,
        max_parallel: plan.rollout.max_parallel,
        max_unavailable: plan.rollout.max_unavailable,
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
            StepAction::PutPublicIpPrefix { .. } => Does::PutPublicIpPrefix,
            StepAction::DeletePublicIpPrefix { .. } => Does::DeletePublicIpPrefix,
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

fn script(script: &GuestScript) -> Script {
    Script {
        step: script.step.0,
        guest: script.guest.to_string(),
        os: match script.os {
            Os::Linux => OsWord::Linux,
            Os::Windows => OsWord::Windows,
        },
        text: script.text.as_ref().ok().cloned(),
        missing: script.text.as_ref().err().cloned(),
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
        answering_members: flow.answering,
        effect,
        after_step,
        ready_members,
        what,
        lost: flow.lost.map(|lost| Lost {
            members: lost.members,
            of: lost.of,
            from_step: lost.from.0,
            until_step: lost.until.map(|step| step.0),
        }),
    }
}

/// As core writes it into its own files.
pub(super) fn text(place: &model::Where) -> String {
    match serde_json::to_value(place) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => place.to_string(),
    }
}
