//! What a write script answered: a refusal in its own words, or facts that show everything as planned.

use crate::observe::{UnreadableFacts, facts};
use crate::transport::Output;
use crate::{linux, windows};
use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{GuestFacts, Os};

/// Why a write did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    #[error("the guest is not as it was planned: {}", moved.join(", "))]
    Moved { moved: Vec<String> },
    #[error("{said}; plan again")]
    OlderRun { said: String },
    #[error(
        "{said}: no new connection came through in time, and the guest took it back by itself; see that `firewall-cmd --reload` lets you in, then plan again"
    )]
    TakenBack { said: String },
    #[error("{said}; wait for it to end, then apply again")]
    Locked { said: String },
    #[error(
        "the user may not write the guest ({said}); let it become root by sudo without a password, or log in as an administrator"
    )]
    NotRoot { said: String },
    #[error("{said}; nothing after it was set: put it right in the guest, then apply again")]
    Tool { said: String },
    #[error("the script ended with status {status}: {said}; look into the guest, then plan again")]
    Ended { status: String, said: String },
    #[error(
        "what the guest answered after the write cannot be read; plan again to see what it holds"
    )]
    Facts(#[source] UnreadableFacts),
    #[error(
        "{what}, and no new connection comes through ({why}); the guest takes it back by itself, but has not answered since: look at it through Azure's serial console"
    )]
    Lost { what: String, why: String },
    #[error("after the write, {}; plan again to see what the guest holds now", wrong.join("; "))]
    NotAsPlanned { wrong: Vec<String> },
}

const REFUSED: &str = "plimsoll-refused ";

/// The facts that a write or a confirmation ended with, or why it did not.
pub(crate) fn answered(os: Os, output: &Output) -> Result<GuestFacts, NotWritten> {
    let printed = String::from_utf8_lossy(&output.stdout);
    let refusals: Vec<(&str, &str)> = printed
        .lines()
        .filter_map(|line| line.strip_prefix(REFUSED)?.split_once(' '))
        .collect();
    if let Some((code, _)) = refusals.first() {
        let said: Vec<String> = refusals
            .iter()
            .map(|(_, said)| (*said).to_owned())
            .collect();
        let joined = said.join("; ");
        return Err(match *code {
            "71" => NotWritten::TakenBack {
                // `reverted.sh run 7: firewalld was loaded anew`
                said: joined
                    .split_once(": ")
                    .map_or(joined.as_str(), |(_, what)| what)
                    .to_owned(),
            },
            "73" | "76" => NotWritten::Moved { moved: said },
            "74" => NotWritten::OlderRun { said: joined },
            "75" => NotWritten::Locked { said: joined },
            "77" => NotWritten::NotRoot { said: joined },
            _ => NotWritten::Tool { said: joined },
        });
    }
    if output.status != Some(0) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(NotWritten::Ended {
            status: output
                .status
                .map_or("unknown".to_owned(), |s| s.to_string()),
            said: stderr
                .lines()
                .next_back()
                .unwrap_or("no message")
                .to_owned(),
        });
    }
    facts(os, &output.stdout).map_err(NotWritten::Facts)
}

/// The facts, where they show everything as planned.
pub(crate) fn verified(
    order: &GuestOrder<'_>,
    facts: GuestFacts,
) -> Result<GuestFacts, NotWritten> {
    let wrong = wrong(order, &facts);
    if wrong.is_empty() {
        Ok(facts)
    } else {
        Err(NotWritten::NotAsPlanned { wrong })
    }
}

fn wrong(order: &GuestOrder<'_>, facts: &GuestFacts) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_there = match order.step.guest.os {
        Os::Linux => linux::verify::is_there,
        Os::Windows => windows::verify::is_there,
    };
    for touch in &order.step.ensure {
        let (key, state) = (&touch.key, facts.state_of(&touch.key));
        if !state.claims.contains(order.claim) {
            wrong.push(format!("{key} is not in the guest's record"));
        }
        if !state.live {
            wrong.push(format!("{key} is not in force"));
        }
        if !state.survives {
            wrong.push(format!("{key} would not survive a reboot"));
        }
    }
    for touch in &order.step.release {
        let (key, state) = (&touch.key, facts.state_of(&touch.key));
        if state
            .claims
            .iter()
            .any(|c| c.deployment == order.claim.deployment)
        {
            wrong.push(format!("{key} is still claimed in the guest's record"));
        }
        let ours_before = order
            .facts
            .record()
            .is_some_and(|r| r.entries.contains_key(key));
        if ours_before && state.claims.is_empty() && is_there(key, facts) {
            wrong.push(format!("{key} is still there"));
        }
    }
    wrong
}
