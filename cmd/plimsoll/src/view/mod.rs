//! What people and programs see. A view shows what it is given; it never computes, reads or decides.
//!
//! Standard output is data, standard error is talk. One implementation of [`View`] for each audience.

mod look;
mod screen;
mod tally;
mod words;

mod diagnostic;
pub(crate) mod human;
pub(crate) mod json;

mod shown;

pub(crate) use look::{Look, Terminal, decide};
pub(crate) use screen::{say, tell};
pub(crate) use shown::{
    Applying, Ending, LabAccess, LabGuest, LabStatus, PlanShown, Probe, Reformatted, Told,
    TraceShown, Valid, View,
};
pub(crate) use words::tame;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod sample;
