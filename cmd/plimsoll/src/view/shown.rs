//! The one interface of all views, and what is handed to them beside core's own types.

use super::Places;
use crate::exit::Exit;
use crate::failure::Failure;
use plimsoll_core::apply::Event;
use plimsoll_core::model::guest::Os;
use plimsoll_core::model::{Addr, Diagnostic};
use plimsoll_core::plan::{MapRow, Plan, StepId, Topology, Trace};
use plimsoll_core::state::{Forgotten, Part, State};
use plimsoll_store::LockInfo;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One audience.
pub(crate) trait View: Send + Sync {
    /// Diagnostics that stopped the command.
    fn refused(&self, told: &Told);
    /// What stopped the command and is not the configuration's fault.
    fn failure(&self, failure: &Failure);
    /// Talk that is no data: what is being waited for, what was saved where.
    fn note(&self, text: &str);
    /// A line that the pipeline acts upon.
    fn to_host(&self, line: &str);

    fn valid(&self, valid: &Valid, told: &Told);
    fn plan(&self, shown: &PlanShown<'_>);
    /// The plan that is about to be applied, before its events.
    fn proposal(&self, shown: &PlanShown<'_>);
    fn drift(&self, shown: &PlanShown<'_>);
    fn graph(&self, topology: &Topology, drawing: Drawing);
    fn map(&self, rows: &[MapRow], told: &Told);
    fn trace(&self, shown: &TraceShown<'_>);
    fn reformatted(&self, files: &[Reformatted], check: bool);
    fn explained(&self, pages: &[(&str, &str, &str)]);

    /// The record, or what became of it.
    fn state(&self, shown: &StateShown<'_>);

    /// A plan is about to be applied.
    fn applying(&self, plan: &Plan) -> Box<dyn Applying>;

    fn lab_status(&self, status: &LabStatus);
    fn probes(&self, destination: &str, probes: &[Probe]);
    fn requests(&self, requests: &[serde_json::Value]);
    /// An ARM answer, as the emulator gave it.
    fn document(&self, document: &serde_json::Value);
}

/// The language of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawing {
    Dot,
    Mermaid,
}

/// Follows one apply.
pub(crate) trait Applying: Send + Sync {
    fn event(&self, at: &str, event: &Event);
    /// A signal came: what is in flight is finished, nothing new begins.
    fn stopping(&self);
    fn end(&self, ending: &Ending<'_>);
}

/// Diagnostics with the texts that they point into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) texts: BTreeMap<Arc<str>, Arc<str>>,
    /// In front of each path, so that it can be opened from where the person stands.
    pub(crate) directory: PathBuf,
}

/// What `validate` found in order.
#[derive(Clone, Debug)]
pub(crate) struct Valid {
    pub(crate) files: usize,
    pub(crate) public_ips: usize,
    pub(crate) load_balancers: usize,
    pub(crate) rules: usize,
    pub(crate) guests: usize,
}

/// A plan, and what is known around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanShown<'a> {
    pub(crate) plan: &'a Plan,
    /// What its guests would be sent, where that was asked for.
    pub(crate) scripts: &'a [GuestScript],
    pub(crate) told: &'a Told,
    /// How long reading the world took; a saved plan says when instead.
    pub(crate) took: Option<Duration>,
    /// What to do next and the command for it.
    pub(crate) next: &'a [(String, String)],
    /// Where things stand in the configuration.
    pub(crate) places: Places<'a>,
}

/// What one step sends into a guest, or why that cannot be said now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestScript {
    pub(crate) step: StepId,
    pub(crate) guest: Addr,
    pub(crate) os: Os,
    pub(crate) text: Result<String, String>,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done { milliseconds: u64 },
    DoneBefore,
    Failed { error: String },
    Skipped { because: String },
}

/// How an apply went, for a report that is written at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story<'a> {
    pub(crate) ending: &'a Ending<'a>,
    /// Steps that never began are not in it.
    pub(crate) outcomes: &'a BTreeMap<StepId, Outcome>,
    /// What to do next and the command for it.
    pub(crate) next: &'a [(String, String)],
}

/// A trace for each destination that was asked, and the command that applies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceShown<'a> {
    pub(crate) traces: &'a [Trace],
    pub(crate) told: &'a Told,
    /// `plimsoll apply`, as this call would say it.
    pub(crate) apply: &'a str,
}

/// What the `state` commands show.
#[derive(Debug)]
pub(crate) enum StateShown<'a> {
    List(&'a State),
    Overview {
        place: &'a str,
        state: &'a State,
        holder: Option<&'a LockInfo>,
    },
    Part {
        part: &'a Part,
        state: &'a State,
    },
    Forgotten {
        gone: &'a [(Part, Forgotten)],
        dry_run: bool,
    },
    Moved {
        from: &'a Addr,
        to: &'a Addr,
    },
}

/// How an apply ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// All steps of the plan, those included that never began.
    pub(crate) total: usize,
    /// Each target that moved since the plan was made, and what about it moved.
    pub(crate) stale: &'a [(String, Vec<String>)],
    pub(crate) interrupted: bool,
    /// The state could not be written: what was done last is not in it.
    pub(crate) state_lost: Option<&'a str>,
    pub(crate) took: Duration,
    pub(crate) exit: Exit,
    /// The command that goes on from here.
    pub(crate) again: &'a str,
    /// The command that makes a new plan.
    pub(crate) replan: &'a str,
    pub(crate) next: &'a [(String, String)],
}

impl Ending<'_> {
    /// It did what was asked for.
    pub(crate) fn is_complete(&self) -> bool {
        self.failed == 0
            && self.skipped == 0
            && !self.interrupted
            && self.stale.is_empty()
            && self.state_lost.is_none()
    }

    /// It was to stop before rules change, and did.
    pub(crate) fn is_halted(&self) -> bool {
        self.is_complete() && self.done < self.total
    }
}

/// One file that `fmt` looked at.
#[derive(Clone, Debug)]
pub(crate) struct Reformatted {
    pub(crate) file: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) diff: bool,
}

/// One packet, one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) guest: Option<String>,
    /// The destination that the guest saw.
    pub(crate) seen: Option<String>,
    pub(crate) ok: bool,
    pub(crate) error: Option<String>,
}

/// What other clients need to speak to the lab.
#[derive(Clone, Debug)]
pub(crate) struct LabStatus {
    pub(crate) running: bool,
    pub(crate) directory: String,
    pub(crate) access: Option<LabAccess>,
    pub(crate) guests: Vec<LabGuest>,
}

#[derive(Clone, Debug)]
pub(crate) struct LabAccess {
    pub(crate) endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) ca_file: String,
    pub(crate) subscription: String,
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    /// Worth nothing outside this lab, and other clients need it.
    pub(crate) client_secret: String,
    pub(crate) faults: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct LabGuest {
    pub(crate) name: String,
    pub(crate) os: String,
    pub(crate) running: bool,
    /// Why it does not run.
    pub(crate) note: Option<String>,
    pub(crate) addresses: Vec<String>,
}
