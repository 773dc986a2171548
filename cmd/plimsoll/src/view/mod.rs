//! What people and programs see. A view shows what it is given; it never computes, reads or decides.
//!
//! Standard output is data, standard error is talk. One implementation of [`View`] for each audience.

mod guests;
mod look;
mod places;
mod screen;
mod scripts;
mod tally;
mod verdict;
mod words;

mod diagnostic;
pub(crate) mod html;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod markdown;
pub(crate) mod picture;

mod shown;

pub(crate) use look::{Detail, Look, Terminal, decide};
pub(crate) use places::{Places, place as place_of};
pub(crate) use screen::{command, command_aside, say, tell};
pub(crate) use shown::{
    Applying, Drawing, Ending, GuestScript, LabAccess, LabGuest, LabStatus, Outcome, PlanShown,
    Probe, Reformatted, StateShown, Story, Told, TraceShown, Valid, View,
};
pub(crate) use words::{count, tame};

#[cfg(test)]
mod browser;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod sample;
