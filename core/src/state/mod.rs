//! The state: a record of what was last applied and the journal of the run that is writing it. Not a source of truth:
//! without it the next plan adopts what it finds.

mod document;
mod history;
mod journal;
mod migrations;
mod surgery;

pub use document::{
    Recorded, RecordedInterface, STATE_FORMAT, STATE_VERSION, State, StateEdit, StateError, Writer,
};
pub use history::Applied;
pub use journal::{Journal, StepStatus};
pub use surgery::{Forgotten, MoveError, NotAPart, Part};
