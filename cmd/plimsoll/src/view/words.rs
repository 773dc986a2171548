//! The words that all views share for the nouns and verbs of core.

use plimsoll_core::model::{Addr, ItemKind, Severity};
use plimsoll_core::plan::{Action, Deletion, Effect, Lost, Phase, Plan, Traffic};
use std::time::Duration;

/// `rule`, `inbound NAT rule`.
pub(crate) fn item_noun(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Frontend => "frontend",
        ItemKind::BackendPool => "backend pool",
        ItemKind::Probe => "probe",
        ItemKind::Rule => "rule",
        ItemKind::InboundNatRule => "inbound NAT rule",
        ItemKind::OutboundRule => "outbound rule",
    }
}

pub(crate) fn symbol(action: Action) -> &'static str {
    match action {
        Action::NoOp => " ",
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "±",
        Action::Delete => "-",
        Action::Adopt => "=",
        Action::Forget => "x",
    }
}

/// Said beside the symbol where the symbol alone could be overlooked or misread.
pub(crate) fn spelled(action: Action) -> Option<&'static str> {
    match action {
        Action::NoOp | Action::Create | Action::Update => None,
        Action::Replace => Some("replaced"),
        Action::Delete => Some("deleted"),
        Action::Adopt => Some("adopted"),
        Action::Forget => Some("forgotten"),
    }
}

/// `65.52.0.1:80/tcp`, `[fd00::1]:80/tcp`, `10.0.0.4, every port`
pub(crate) fn destination(flow: &Traffic) -> String {
    let address = match flow.destination.known() {
        Some(std::net::IpAddr::V6(address)) if flow.port.is_some() => format!("[{address}]"),
        Some(address) => address.to_string(),
        None => flow.destination.to_string(),
    };
    match flow.port {
        Some(port) => format!("{address}:{port}/{}", flow.protocol),
        None => format!("{address}, every port"),
    }
}

/// What clients of the destination notice, and on how many members.
pub(crate) fn effect(flow: &Traffic) -> String {
    let mut text = match &flow.effect {
        Effect::NotInterrupted => "not interrupted".to_owned(),
        Effect::Begins { after, .. } if flow.members == 0 => {
            format!("begins after step {after}; no guest declared here is a member")
        }
        Effect::Begins { after, ready } => format!(
            "begins on {ready} of {} members after step {after}",
            flow.members
        ),
        // Where it ends it ends everywhere.
        Effect::Ends { after } => return format!("ends after step {after}"),
        Effect::Changes { after, what } => {
            let seen = match flow.answering {
                0 => String::new(),
                answering => format!("; {answering} of {} members listen there", flow.members),
            };
            format!("changes after step {after}: {what}{seen}")
        }
    };
    if let Some(lost) = &flow.lost {
        // A change that consists in members leaving says so itself.
        let number = format!("{} of {} members", lost.members, lost.of);
        let said = match &flow.effect {
            Effect::Changes { what, .. } => what.starts_with(&number),
            Effect::NotInterrupted | Effect::Begins { .. } | Effect::Ends { .. } => false,
        };
        if !said {
            text.push_str("; ");
            text.push_str(&self::lost(lost));
        }
    }
    text
}

/// `1 of 2 members is away after step 3, until step 5 is done`
pub(crate) fn lost(lost: &Lost) -> String {
    let Lost {
        members,
        of,
        from,
        until,
    } = lost;
    let is = if *members == 1 { "is" } else { "are" };
    match until {
        Some(until) => {
            format!(
                "{members} of {of} members {is} away after step {from}, until step {until} is done"
            )
        }
        None => format!("{members} of {of} members {is} away for good after step {from}"),
    }
}

/// `about 12 s: 9 requests to Azure, 2 scripts in guests`; the lab has a pace of its own.
pub(crate) fn cost(plan: &Plan) -> Option<String> {
    let cost = plan.cost();
    let mut parts = Vec::new();
    if cost.requests > 0 {
        parts.push(format!("{} to Azure", count(cost.requests, "request")));
    }
    if cost.scripts > 0 {
        parts.push(format!("{} in guests", count(cost.scripts, "script")));
    }
    if cost.drain_seconds > 0 {
        let drain = seconds(cost.drain_seconds);
        parts.push(format!("{drain} of waiting for connections to end"));
    }
    if parts.is_empty() {
        return None;
    }
    let mut text = parts.join(", ");
    if !plan.lab && cost.seconds > 0 {
        text = format!("about {}: {text}", seconds(cost.seconds));
    }
    if let Some(most) = plan.rollout.max_parallel {
        text.push_str(&format!(
            ", at most {} at once",
            count(most as usize, "guest")
        ));
    }
    if let Some(most) = plan.rollout.max_unavailable {
        text.push_str(&format!(
            ", at most {} of a pool away",
            count(most as usize, "member")
        ));
    }
    Some(text)
}

/// Why rules go live although a guest may not be ready for them.
pub(crate) fn accepted_unready(guest: &Addr) -> String {
    format!("{guest} may stay unready (--accept-unready): nothing waits for it")
}

/// `rule "old" of load_balancer.web is deleted`
pub(crate) fn deletion(gone: &Deletion<'_>) -> String {
    let what = match gone.item {
        Some((kind, name)) => format!("{} {name:?} of {}", item_noun(kind), gone.addr),
        None => gone.addr.to_string(),
    };
    let how = match gone.action {
        Action::Replace => "is replaced: deleted and made anew",
        Action::NoOp
        | Action::Create
        | Action::Update
        | Action::Delete
        | Action::Adopt
        | Action::Forget => "is deleted",
    };
    format!("{what} {how}")
}

pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Switch => "switch",
        Phase::Contract => "contract",
    }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

/// `1 rule`, `2 rules`, `3 public IPs`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {}", plural(noun)),
    }
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}

/// `0.9 s`, `12 s`, `2 min 5 s`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 119.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = duration.as_secs();
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// `12 s`, `2 min 5 s`: of a time that nobody measured.
fn seconds(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (minutes, 0) if minutes > 1 => format!("{minutes} min"),
        (minutes, rest) if minutes > 1 => format!("{minutes} min {rest} s"),
        (_, _) => format!("{seconds} s"),
    }
}

pub(crate) fn milliseconds(milliseconds: u64) -> String {
    time(Duration::from_millis(milliseconds))
}

/// Names from Azure and texts from guests are not ours: a control character in them must not reach a terminal.
pub(crate) fn tame(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' => ' ',
            c if c.is_control() => '\u{fffd}',
            // These reorder what follows them on the screen.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;
    use plimsoll_core::plan::StepId;

    #[test]
    fn numbers_and_lists_read_like_english() {
        assert_eq!(count(1, "rule"), "1 rule");
        assert_eq!(count(0, "public IP"), "0 public IPs");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(time(Duration::from_millis(940)), "0.9 s");
        assert_eq!(time(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(seconds(12), "12 s");
        assert_eq!(seconds(125), "2 min 5 s");
        assert_eq!(seconds(180), "3 min");
    }

    #[test]
    fn an_effect_says_on_how_many_members() {
        let mut flow = sample::refined().traffic.remove(0);
        let said = |flow: &Traffic| effect(flow);
        assert_eq!(
            said(&flow),
            "not interrupted; 1 of 2 members is away after step 1, until step 3 is done"
        );
        flow.effect = Effect::Changes {
            after: StepId(3),
            what: "floating_ip false → true".to_owned(),
        };
        flow.answering = 1;
        flow.lost = None;
        assert_eq!(
            said(&flow),
            "changes after step 3: floating_ip false → true; 1 of 2 members listen there"
        );
        flow.effect = Effect::Changes {
            after: StepId(3),
            what: "2 of 2 members leave".to_owned(),
        };
        flow.answering = 0;
        flow.lost = Some(Lost {
            members: 2,
            of: 2,
            from: StepId(3),
            until: None,
        });
        assert_eq!(said(&flow), "changes after step 3: 2 of 2 members leave");
        flow.lost = None;
        flow.effect = Effect::Begins {
            after: StepId(3),
            ready: 1,
        };
        assert_eq!(said(&flow), "begins on 1 of 2 members after step 3");
        flow.members = 0;
        assert_eq!(
            said(&flow),
            "begins after step 3; no guest declared here is a member"
        );
    }

    #[test]
    fn nothing_foreign_steers_the_terminal() {
        assert_eq!(
            tame("a\u{1b}[31mb\r\n\tc\u{202e}"),
            "a\u{fffd}[31mb\u{fffd}  c\u{fffd}"
        );
    }
}
