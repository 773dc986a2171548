//! What happens to each destination that clients use: begins, ends, changes, or is not interrupted.

use super::addresses::{PublicAddresses, frontend_address};
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::{Effect, Step, StepAction, StepId, Traffic};
use crate::model::item::diff;
use crate::model::{ArmId, ItemKind, LoadBalancer, Protocol, Rule, Where};
use std::collections::BTreeSet;

pub fn traffic(
    plans: &[LoadBalancerPlan],
    guests: &[GuestPlan],
    steps: &[Step],
    public: &PublicAddresses,
) -> Vec<Traffic> {
    let mut all = Vec::new();
    for plan in plans.iter().filter(|p| p.writes()) {
        let Some(write) = last_write(steps, &plan.id) else {
            continue;
        };
        let mut names: Vec<&str> = Vec::new();
        for side in [plan.after.as_ref(), plan.observed.as_ref()]
            .into_iter()
            .flatten()
        {
            for rule in side.rules() {
                if !names.iter().any(|n| n.eq_ignore_ascii_case(rule.name())) {
                    names.push(rule.name());
                }
            }
        }
        for name in names {
            all.extend(of_rule(
                plan,
                guests,
                name,
                &Moments { steps, write },
                public,
            ));
        }
    }
    all.sort_by_key(|t| match t.effect {
        Effect::Ends { .. } => 0,
        Effect::Changes { .. } => 1,
        Effect::Begins { .. } => 2,
        Effect::NotInterrupted => 3,
    });
    all
}

/// When things happen to the rules of one load balancer.
struct Moments<'a> {
    steps: &'a [Step],
    /// The write (or the deletion) of the load balancer itself.
    write: StepId,
}

impl Moments<'_> {
    fn memberships(&self, rule: &Rule<'_>, join: bool) -> impl Iterator<Item = StepId> {
        let pools: Vec<ArmId> = rule.pools().collect();
        self.steps
            .iter()
            .filter(move |step| match &step.action {
                StepAction::PutNetworkInterface { edits, .. } => edits
                    .iter()
                    .any(|e| e.join == join && pools.contains(&e.pool)),
                _ => false,
            })
            .map(|step| step.id)
    }

    /// A rule serves once it is written and the first member is in its pool.
    fn begins(&self, rule: &Rule<'_>, has_members: bool) -> StepId {
        let first = self.memberships(rule, true).min().filter(|_| !has_members);
        first.map_or(self.write, |joined| joined.max(self.write))
    }

    /// A rule ends when it is deleted, or before that when its members leave.
    fn ends(&self, rule: &Rule<'_>) -> StepId {
        self.memberships(rule, false)
            .min()
            .map_or(self.write, |left| left.min(self.write))
    }
}

fn last_write(steps: &[Step], id: &ArmId) -> Option<StepId> {
    let writes = |step: &&Step| match &step.action {
        StepAction::PutLoadBalancer { resource, .. } => resource.id == *id,
        StepAction::DeleteLoadBalancer { id: deleted, .. } => deleted == id,
        StepAction::PutPublicIp { .. }
        | StepAction::DeletePublicIp { .. }
        | StepAction::PutNetworkInterface { .. }
        | StepAction::Guest(_)
        | StepAction::Drain { .. }
        | StepAction::Record => false,
    };
    steps.iter().rev().find(writes).map(|s| s.id)
}

fn of_rule(
    plan: &LoadBalancerPlan,
    guests: &[GuestPlan],
    name: &str,
    moments: &Moments<'_>,
    public: &PublicAddresses,
) -> Option<Traffic> {
    let before = plan
        .observed
        .as_ref()
        .and_then(|lb| lb.item(ItemKind::Rule, name));
    let after = plan
        .after
        .as_ref()
        .and_then(|lb| lb.item(ItemKind::Rule, name));
    let (side, item) = match (&plan.after, after, &plan.observed, before) {
        (Some(lb), Some(item), _, _) | (_, _, Some(lb), Some(item)) => (lb, item),
        (_, _, _, _) => return None,
    };
    let rule = Rule { item };
    let members: Vec<&GuestPlan> = guests
        .iter()
        .filter(|g| rule.pools().any(|pool| g.pools.contains(&pool)))
        .collect();
    let ready = members
        .iter()
        .filter(|g| g.unreadable.is_none() && !g.gone && g.blocked.is_empty())
        .count();
    let effect = match (before, after) {
        (None, Some(_)) => {
            let already =
                |lb: &LoadBalancer| rule.pools().any(|p| !lb.members_of(p.name()).is_empty());
            let has_members = plan.observed.as_ref().is_some_and(already);
            Effect::Begins {
                after: moments.begins(&rule, has_members),
                ready,
            }
        }
        (Some(_), None) => Effect::Ends {
            after: moments.ends(&rule),
        },
        (Some(before), Some(after)) => {
            let changed = diff(
                ItemKind::Rule.attributes(),
                &before.attributes,
                &after.attributes,
            );
            let serving: BTreeSet<&str> = [
                "frontend",
                "backend_pools",
                "probe",
                "protocol",
                "frontend_port",
                "backend_port",
                "floating_ip",
            ]
            .into();
            let words: Vec<String> = changed
                .iter()
                .filter(|field| serving.contains(field.name.as_str()))
                .map(|field| {
                    let text = |v: &Option<crate::model::Attr>| {
                        v.as_ref().map_or("none".to_owned(), short)
                    };
                    format!(
                        "{} {} → {}",
                        field.name,
                        text(&field.before),
                        text(&field.after)
                    )
                })
                .collect();
            if words.is_empty() {
                Effect::NotInterrupted
            } else {
                Effect::Changes {
                    after: moments.write,
                    what: words.join(", "),
                }
            }
        }
        (None, None) => return None,
    };
    Some(Traffic {
        destination: destination(side, &rule, public)?,
        port: (rule.protocol() != Some(Protocol::All)).then(|| rule.frontend_port()),
        protocol: rule.protocol()?,
        rule: item.name.clone(),
        load_balancer: plan.addr.clone(),
        effect,
        members: members.len(),
    })
}

/// Ids by their last word.
fn short(value: &crate::model::Attr) -> String {
    let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
    match value {
        crate::model::Attr::Text(text) => last(text),
        crate::model::Attr::List(list) => {
            list.iter().map(|t| last(t)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn destination(
    load_balancer: &LoadBalancer,
    rule: &Rule<'_>,
    public: &PublicAddresses,
) -> Option<Where> {
    frontend_address(load_balancer, rule.frontend()?.name(), public)
}
