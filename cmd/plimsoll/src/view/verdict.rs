//! The first line of a report: what happens, in words, and whether anyone's traffic notices.

use super::shown::Ending;
use super::words;
use plimsoll_core::model::Severity;
use plimsoll_core::plan::{Action, Mode, Plan, Summary};

/// Words of ours and names of the user's: each view marks and escapes the names in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Ours(String),
    Name(String),
}

/// A line of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) pieces: Vec<Piece>,
}

/// Names are given up to this many; more are counted.
const NAMED: usize = 3;

impl Verdict {
    fn say(&mut self, text: impl Into<String>) {
        self.pieces.push(Piece::Ours(text.into()));
    }

    fn name(&mut self, name: impl Into<String>) {
        self.pieces.push(Piece::Name(name.into()));
    }

    /// `a`, `a and b`, `a, b and c`
    fn names(&mut self, names: &[&str]) {
        for (at, name) in names.iter().enumerate() {
            match at {
                0 => {}
                last if last + 1 == names.len() => self.say(" and "),
                _ => self.say(", "),
            }
            self.name(*name);
        }
    }

    /// Each piece as the view writes it.
    pub(crate) fn written(
        &self,
        ours: impl Fn(&str) -> String,
        name: impl Fn(&str) -> String,
    ) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Ours(text) => ours(text),
                Piece::Name(text) => name(text),
            })
            .collect()
    }
}

pub(crate) fn plan(plan: &Plan) -> Verdict {
    let mut verdict = Verdict::default();
    let summary = plan.summary();
    if !plan.applyable {
        verdict.say("Cannot be applied as it is: ");
        what_happens(plan, &summary, &mut verdict, Case::Lower);
        return verdict;
    }
    if !plan.has_changes() {
        if !plan.left_out.is_empty() {
            verdict.say("No changes in what was asked for; more is left out");
        } else if plan.complete && plan.unasked > 0 {
            let guests = words::count(plan.unasked, "guest");
            verdict.say(format!("No changes in what was read; {guests} not asked"));
        } else if plan.complete {
            verdict.say("No changes: ");
            verdict.name(&plan.deployment);
            verdict.say(" is as declared");
        } else {
            verdict.say("No changes in what could be read; not everything could be");
        }
        return verdict;
    }
    what_happens(plan, &summary, &mut verdict, Case::Upper);
    verdict.say("; ");
    traffic(plan, &summary, &mut verdict);
    if !plan.left_out.is_empty() {
        verdict.say(format!(
            "; {} left out",
            words::count(plan.left_out.len(), "change")
        ));
    }
    if !plan.complete {
        verdict.say("; not everything could be read");
    }
    verdict
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
}

fn what_happens(plan: &Plan, summary: &Summary<'_>, verdict: &mut Verdict, case: Case) {
    let before = verdict.pieces.len();
    let mut parts = 0;
    let mut part = |verdict: &mut Verdict, verb: &str| {
        let text = if parts == 0 && case == Case::Upper {
            let mut letters = verb.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect())
                .unwrap_or_default()
        } else {
            verb.to_owned()
        };
        if parts > 0 {
            verdict.say(", ");
        }
        verdict.say(text);
        parts += 1;
    };
    if plan.mode == Mode::Destroy {
        part(verdict, "destroys what the state records of ");
        verdict.name(&plan.deployment);
        return;
    }
    for (action, verb) in [
        (Action::Delete, "deletes"),
        (Action::Replace, "replaces"),
        (Action::Create, "adds"),
        (Action::Update, "changes"),
        (Action::Adopt, "adopts"),
        (Action::Forget, "forgets"),
    ] {
        let Some(rules) = summary.rules.get(&action) else {
            continue;
        };
        match rules.len() {
            1 => {
                part(verdict, &format!("{verb} rule "));
                verdict.names(rules);
            }
            few if few <= NAMED => {
                part(verdict, &format!("{verb} rules "));
                verdict.names(rules);
            }
            many => part(verdict, &format!("{verb} {}", words::count(many, "rule"))),
        }
    }
    if verdict.pieces.len() > before {
        return;
    }
    // No rule changes: what does?
    let tally = &summary.tally;
    let azure = tally.changes() - tally.guests;
    match (azure, tally.guests) {
        (0, 0) => part(verdict, "changes nothing"),
        (0, guests) => part(
            verdict,
            &format!("changes {}", words::count(guests, "guest")),
        ),
        (azure, 0) => part(
            verdict,
            &format!(
                "changes {} in Azure and no rule",
                words::count(azure, "thing")
            ),
        ),
        (azure, guests) => part(
            verdict,
            &format!(
                "changes {} in Azure, no rule, and {}",
                words::count(azure, "thing"),
                words::count(guests, "guest")
            ),
        ),
    }
}

fn traffic(plan: &Plan, summary: &Summary<'_>, verdict: &mut Verdict) {
    match summary.interruptions.as_slice() {
        [] => {
            verdict.say("no traffic is interrupted");
            let losing = plan.traffic.iter().filter(|t| t.lost.is_some()).count();
            if losing > 0 {
                verdict.say(format!(
                    ", but {} on fewer members for a while",
                    match losing {
                        1 => "1 destination is".to_owned(),
                        more => format!("{more} destinations are"),
                    }
                ));
            }
        }
        [one] => {
            verdict.say("interrupts traffic to ");
            verdict.name(words::destination(one));
        }
        many => verdict.say(format!(
            "interrupts traffic to {} of {}",
            many.len(),
            words::count(plan.traffic.len(), "destination")
        )),
    }
}

pub(crate) fn drift(plan: &Plan) -> Verdict {
    let mut verdict = Verdict::default();
    let breaking = plan
        .drift
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .count();
    match (plan.drift.len(), breaking) {
        (0, _) if plan.complete && plan.unasked > 0 => {
            let guests = words::count(plan.unasked, "guest");
            verdict.say(format!("No drift in what was read; {guests} not asked"));
        }
        (0, _) if plan.complete => {
            verdict.say("No drift: ");
            verdict.name(&plan.deployment);
            verdict.say(" is as applied");
        }
        (0, _) => verdict.say("No drift in what could be read; not everything could be"),
        (all, 0) => verdict.say(format!(
            "{}; none breaks traffic now",
            words::count(all, "difference")
        )),
        (1, 1) => verdict.say("1 difference, and it breaks traffic"),
        (all, 1) => verdict.say(format!(
            "{}; 1 breaks traffic",
            words::count(all, "difference")
        )),
        (all, more) => verdict.say(format!(
            "{}; {more} break traffic",
            words::count(all, "difference")
        )),
    }
    if !plan.drift.is_empty() && !plan.complete {
        verdict.say("; not everything could be read");
    }
    verdict
}

/// `Applied: 7 steps in 1.5 s`
pub(crate) fn ending(ending: &Ending<'_>) -> String {
    if !ending.stale.is_empty() {
        return "Not applied: the plan is stale, the world moved since it was made".to_owned();
    }
    if ending.is_halted() {
        return format!(
            "Expanded: {} of {} done in {}; no rule has changed",
            ending.done,
            words::count(ending.total, "step"),
            words::time(ending.took)
        );
    }
    if ending.is_complete() {
        return format!(
            "Applied: {} in {}",
            words::count(ending.done, "step"),
            words::time(ending.took)
        );
    }
    let how = match (ending.interrupted, ending.done) {
        (true, _) => "Interrupted",
        (false, 0) => "Not applied",
        (false, _) => "Applied in part",
    };
    format!(
        "{how}: {} of {} done",
        ending.done,
        words::count(ending.total, "step")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    fn said(verdict: &Verdict) -> String {
        verdict.written(str::to_owned, |name| format!("*{name}*"))
    }

    #[test]
    fn verdicts_are_words() {
        assert_eq!(
            said(&plan(&sample::plan())),
            "Deletes rule *old*, adds rule *purple*, changes rule *green*; interrupts traffic to *65.52.0.1:81/tcp*"
        );
        assert_eq!(
            said(&plan(&sample::empty())),
            "No changes: *web-prod* is as declared"
        );
        assert_eq!(
            said(&plan(&sample::creation())),
            "Cannot be applied as it is: adds rule *green*"
        );
        assert_eq!(
            said(&plan(&sample::many())),
            "Adds 10000 rules; no traffic is interrupted"
        );
        assert_eq!(
            said(&plan(&sample::refined())),
            "Changes 2 guests; no traffic is interrupted, but 1 destination is on fewer members for a while; 1 change left out"
        );
        assert_eq!(
            said(&drift(&sample::drifted())),
            "2 differences; 1 breaks traffic"
        );
    }
}
