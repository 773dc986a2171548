//! The plan, drift and the map with names of their own, so that core may change without breaking those who read them.

use super::diagnostic;
use crate::view::shown::Told;
use crate::view::words;
use plimsoll_core::model::guest::EntryState;
use plimsoll_core::model::item::FieldDiff;
use plimsoll_core::plan::{
    Action, Change, Drift, DriftKind, Effect, Finding, MapRow, Mode, Plan, Step, StepAction,
    Traffic,
};
use serde_json::{Map, Value, json};

pub(super) fn body(plan: &Plan, told: &Told) -> Map<String, Value> {
    let tally = plan.tally();
    let outputs: Map<String, Value> = plan
        .outputs
        .iter()
        .map(|o| (o.name.clone(), o.value.clone()))
        .collect();
    let body = json!({
        "created": plan.created,
        "deployment": plan.deployment,
        "mode": match plan.mode { Mode::Apply => "apply", Mode::Destroy => "destroy" },
        "lab": plan.lab,
        "complete": plan.complete,
        "applyable": plan.applyable,
        "blocked": plan.blocked,
        "has_changes": plan.has_changes(),
        "counts": {
            "add": tally.of(Action::Create),
            "change": tally.of(Action::Update),
            "replace": tally.of(Action::Replace),
            "destroy": tally.of(Action::Delete),
            "adopt": tally.of(Action::Adopt),
            "forget": tally.of(Action::Forget),
            "guests": tally.guests,
            "azure_writes": tally.writes,
        },
        "reads": {
            "load_balancers": plan.reads.load_balancers,
            "public_ips": plan.reads.public_ips,
            "network_interfaces": plan.reads.network_interfaces,
            "guests": plan.reads.guests,
        },
        "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "traffic": plan.traffic.iter().map(traffic).collect::<Vec<_>>(),
        "drift": plan.drift.iter().map(drift).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(finding).collect::<Vec<_>>(),
        "outputs": outputs,
        "diagnostics": diagnostic::list(told),
    });
    object(body)
}

pub(super) fn drift_body(plan: &Plan, told: &Told) -> Map<String, Value> {
    object(json!({
        "created": plan.created,
        "deployment": plan.deployment,
        "lab": plan.lab,
        "complete": plan.complete,
        "drifted": !plan.drift.is_empty(),
        "drift": plan.drift.iter().map(drift).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(finding).collect::<Vec<_>>(),
        "diagnostics": diagnostic::list(told),
    }))
}

pub(super) fn map_rows(rows: &[MapRow]) -> Vec<Value> {
    rows.iter()
        .map(|row| {
            let destinations: Vec<Value> = row
                .destinations
                .iter()
                .map(|d| {
                    json!({
                        "address": d.address,
                        "port": d.port,
                        "same_address_as_frontend": d.same_address_as_frontend,
                        "same_port_as_frontend": d.same_port_as_frontend,
                        "guests": d.guests,
                    })
                })
                .collect();
            json!({
                "load_balancer": row.load_balancer,
                "rule": row.rule,
                "frontend": row.frontend,
                "frontend_address": row.frontend_address,
                "protocol": row.protocol,
                "port": row.port,
                "floating_ip": row.floating_ip,
                "destinations": destinations,
                "guests": row.guests,
            })
        })
        .collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn action(action: Action) -> &'static str {
    match action {
        Action::NoOp => "no_op",
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
        Action::Forget => "forget",
    }
}

fn fields(fields: &[FieldDiff]) -> Vec<Value> {
    fields
        .iter()
        .map(|f| json!({ "name": f.name, "before": f.before, "after": f.after }))
        .collect()
}

fn entry_state(state: &EntryState) -> Value {
    json!({ "now": state.live, "after_reboot": state.survives, "claims": state.claims })
}

fn change(change: &Change) -> Value {
    json!({
        "address": change.addr,
        "type": change.addr.kind.word(),
        "action": action(change.action),
        "about": change.about,
        "fields": fields(&change.fields),
        "items": change.items.iter().map(|i| json!({
            "type": i.kind.word(),
            "name": i.name,
            "action": action(i.action),
            "about": i.about,
            "fields": fields(&i.fields),
        })).collect::<Vec<_>>(),
        "entries": change.entries.iter().map(|e| json!({
            "entry": e.key,
            "action": action(e.action),
            "how": e.how,
            "rules": e.because,
            "before": entry_state(&e.before),
            "after": entry_state(&e.after),
        })).collect::<Vec<_>>(),
        "memberships": change.memberships.iter().map(|m| json!({
            "network_interface": m.interface,
            "ip_configuration": m.ip_configuration,
            "backend_pool": m.pool,
            "action": action(m.action),
        })).collect::<Vec<_>>(),
        "foreign": change.foreign.iter().map(|f| json!({
            "type": f.kind.word(),
            "name": f.name,
        })).collect::<Vec<_>>(),
        "notes": change.notes,
    })
}

fn step(step: &Step) -> Value {
    let does = match &step.action {
        StepAction::PutPublicIp { .. } => "put_public_ip",
        StepAction::DeletePublicIp { .. } => "delete_public_ip",
        StepAction::PutLoadBalancer { .. } => "put_load_balancer",
        StepAction::DeleteLoadBalancer { .. } => "delete_load_balancer",
        StepAction::PutNetworkInterface { .. } => "put_network_interface",
        StepAction::Guest(_) => "guest_script",
        StepAction::Drain { .. } => "drain",
        StepAction::Record => "record",
    };
    json!({
        "step": step.id,
        "phase": words::phase(step.phase),
        "address": step.addr,
        "does": does,
        "title": step.title,
        "after": step.after.iter().map(|e| json!({ "step": e.step, "why": e.why })).collect::<Vec<_>>(),
    })
}

fn traffic(flow: &Traffic) -> Value {
    let (effect, after, ready, what) = match &flow.effect {
        Effect::NotInterrupted => ("not_interrupted", None, None, None),
        Effect::Begins { after, ready } => ("begins", Some(after), Some(ready), None),
        Effect::Ends { after } => ("ends", Some(after), None, None),
        Effect::Changes { after, what } => ("changes", Some(after), None, Some(what)),
    };
    json!({
        "destination": flow.destination,
        "port": flow.port,
        "protocol": flow.protocol,
        "load_balancer": flow.load_balancer,
        "rule": flow.rule,
        "members": flow.members,
        "effect": effect,
        "after_step": after,
        "ready_members": ready,
        "what": what,
    })
}

fn drift(drift: &Drift) -> Value {
    let kind = match drift.kind {
        DriftKind::Changed => "changed",
        DriftKind::WouldNotSurviveReboot => "would_not_survive_reboot",
        DriftKind::NotYetApplied => "not_yet_applied",
        DriftKind::NeverRecorded => "never_recorded",
    };
    json!({
        "id": drift.id,
        "address": drift.addr,
        "severity": words::severity(drift.severity),
        "kind": kind,
        "what": drift.what,
        "impact": drift.impact,
        "cause": drift.cause,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": words::severity(finding.severity),
        "address": finding.addr,
        "what": finding.what,
        "notes": finding.notes,
    })
}
