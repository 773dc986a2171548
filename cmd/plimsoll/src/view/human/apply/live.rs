//! The lines of the steps that are going on, redrawn in place. What is finished moves above them and stays.

use super::step::{self, Columns};
use crate::view::Look;
use crate::view::human::page::{Ink, Page};
use crate::view::say;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use plimsoll_core::apply::Event;
use plimsoll_core::plan::{Plan, Step, StepId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(super) struct Live {
    all: MultiProgress,
    running: Mutex<BTreeMap<Key, ProgressBar>>,
    look: Look,
    usual: BTreeMap<StepId, Duration>,
}

/// The check before the first step has a line too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Check,
    Step(StepId),
}

impl Live {
    pub(super) fn new(look: Look, plan: &Plan) -> Self {
        let usual = |step: &Step| Some((step.id, step.usual_time(plan.lab)?));
        Self {
            all: MultiProgress::new(),
            running: Mutex::new(BTreeMap::new()),
            look,
            usual: plan.steps.iter().filter_map(usual).collect(),
        }
    }

    /// Prints lines that stay, above those that move.
    pub(super) fn above(&self, text: &str) {
        self.all.suspend(|| say(text));
    }

    pub(super) fn clear(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in running.values() {
            bar.finish_and_clear();
        }
        running.clear();
    }

    pub(super) fn event(&self, event: &Event, columns: &Columns) {
        match event {
            Event::Checking => self.show(Key::Check, " checking that nothing moved".to_owned()),
            Event::Started { step, addr, title } => {
                let mut page = Page::default();
                page.line(step::head(Ink::Plain, " ", addr, columns).put(title));
                self.show(Key::Step(*step), self.one_line(&page));
            }
            Event::Progress { step, addr, note } => {
                let mut page = Page::default();
                page.line(step::head(Ink::Plain, " ", addr, columns).put(note));
                self.show(Key::Step(*step), self.one_line(&page));
            }
            Event::Checked { .. } => self.hide(Key::Check),
            Event::Verified { step, .. }
            | Event::AlreadyDone { step, .. }
            | Event::Failed { step, .. }
            | Event::Skipped { step, .. } => self.hide(Key::Step(*step)),
            Event::Finished { .. } => self.clear(),
        }
    }

    /// A line that moves must fit: a folded one could not be redrawn.
    fn one_line(&self, page: &Page) -> String {
        let wide = page.text(Look {
            width: usize::MAX,
            ..self.look
        });
        let room = self.look.width.saturating_sub(ELAPSED);
        // The spinner stands where the sign would.
        let text = wide.trim_end().get(2..).unwrap_or_default().to_owned();
        console::truncate_str(&text, room, "…").into_owned()
    }

    fn show(&self, key: Key, message: String) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = running.entry(key).or_insert_with(|| {
            let usual = match key {
                Key::Step(step) => self.usual.get(&step).copied(),
                Key::Check => None,
            };
            let style =
                style(usual).tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]);
            let bar = self.all.add(ProgressBar::new_spinner().with_style(style));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(message);
    }

    fn hide(&self, key: Key) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = running.remove(&key) {
            bar.finish_and_clear();
        }
    }
}

/// Room for the spinner, `  12 s of about 20 s` and some air.
const ELAPSED: usize = 26;

/// How long it has taken, and how long it usually takes where that is known.
fn style(usual: Option<Duration>) -> ProgressStyle {
    let template = match usual {
        Some(usual) => format!(
            " {{spinner}}{{msg}}   {{took}} of about {} s",
            usual.as_secs()
        ),
        None => " {spinner}{msg}   {took}".to_owned(),
    };
    ProgressStyle::with_template(&template)
        .expect("the templates are constants that a test parses")
        .with_key(
            "took",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{} s", state.elapsed().as_secs());
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_parses() {
        let _ = style(Some(Duration::from_secs(10)));
        let live = Live::new(Look::plain(80), &crate::view::sample::plan());
        live.event(
            &Event::Checking,
            &Columns::of(&crate::view::sample::plan(), 80),
        );
        live.clear();
    }
}
