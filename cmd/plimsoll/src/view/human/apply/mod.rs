//! An apply as it happens: on a terminal a line for each step that is going on, elsewhere each line once, when it is true,
//! dated and without control characters.

mod ending;
mod live;
mod plain;
mod step;

use super::page::Page;
use crate::view::shown::{Applying, Ending};
use crate::view::{Detail, Look, Terminal};
use crate::view::{say, tell};
use live::Live;
use plimsoll_core::apply::Event;
use plimsoll_core::model::Addr;
use plimsoll_core::plan::{Plan, StepId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far one step got, as the final words need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Waiting,
    Started,
    Done,
    Failed,
    Skipped,
}

#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) addr: Addr,
    pub(super) fate: Fate,
    /// The last thing said about it, so that nothing is said twice.
    note: Option<String>,
}

pub(super) type Steps = BTreeMap<StepId, Followed>;

struct Follow {
    terminal: Terminal,
    columns: step::Columns,
    live: Option<Live>,
    steps: Mutex<Steps>,
}

pub(crate) fn follow(plan: &Plan, terminal: Terminal) -> Box<dyn Applying> {
    if terminal.detail != Detail::Quiet {
        say("\n");
    }
    Box::new(Follow {
        terminal,
        columns: step::Columns::of(plan, terminal.out.width),
        live: terminal.live.then(|| Live::new(terminal.err, plan)),
        steps: Mutex::new(waiting(plan)),
    })
}

/// Before anything happened.
fn waiting(plan: &Plan) -> Steps {
    plan.steps
        .iter()
        .map(|step| {
            (
                step.id,
                Followed {
                    addr: step.addr.clone(),
                    fate: Fate::Waiting,
                    note: None,
                },
            )
        })
        .collect()
}

impl Follow {
    fn steps(&self) -> MutexGuard<'_, Steps> {
        // A panic elsewhere must not silence the rest of the apply.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that is true from now on.
    fn print(&self, page: &Page) {
        match &self.live {
            Some(live) => live.above(&page.text(self.terminal.out)),
            // A log has no width; its reader greps.
            None => say(&page.text(Look {
                width: usize::MAX,
                ..self.terminal.out
            })),
        }
    }
}

impl Applying for Follow {
    fn event(&self, at: &str, event: &Event) {
        let news = note(&mut self.steps(), event);
        if let Some(live) = &self.live {
            live.event(event, &self.columns);
        }
        if !news {
            return;
        }
        let page = match &self.live {
            Some(_) => step::finished(event, &self.columns),
            None => plain::line(at, event),
        };
        let matters = match self.terminal.detail {
            Detail::Quiet => matches!(event, Event::Failed { .. }),
            Detail::Normal | Detail::Verbose => true,
        };
        if matters && !page.is_empty() {
            self.print(&page);
        }
    }

    fn stopping(&self) {
        let text = "Stopping: what is in flight is finished first. Once more stops at once.\n";
        match &self.live {
            Some(live) => live.above(text),
            None => tell(text),
        }
    }

    fn end(&self, ending: &Ending<'_>) {
        if let Some(live) = &self.live {
            live.clear();
        }
        say(&ending::page(ending, &self.steps()).text(self.terminal.out));
    }
}

/// Takes the event in; whether it says anything new.
fn note(steps: &mut Steps, event: &Event) -> bool {
    let mut put = |step: &StepId, addr: &Addr, fate: Fate| {
        steps.insert(
            *step,
            Followed {
                addr: addr.clone(),
                fate,
                note: None,
            },
        );
        true
    };
    match event {
        Event::Started { step, addr, .. } => put(step, addr, Fate::Started),
        Event::Verified { step, addr, .. } | Event::AlreadyDone { step, addr, .. } => {
            put(step, addr, Fate::Done)
        }
        Event::Failed { step, addr, .. } => put(step, addr, Fate::Failed),
        Event::Skipped { step, addr, .. } => put(step, addr, Fate::Skipped),
        Event::Progress { step, note, .. } => match steps.get_mut(step) {
            Some(followed) if followed.note.as_ref() == Some(note) => false,
            Some(followed) => {
                followed.note = Some(note.clone());
                true
            }
            None => true,
        },
        Event::Checking | Event::Checked { .. } | Event::Finished { .. } => true,
    }
}

#[cfg(test)]
mod tests;
