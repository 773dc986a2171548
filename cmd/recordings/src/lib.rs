//! Recorded traffic of real Azure, held against the client from one side and against the emulator from the other.
//!
//! In comes a folder of recordings: azure-cli's cassettes (YAML) and those of Microsoft's .NET and Java libraries (JSON).
//! Out comes a report. The client and the emulator share no types; this crate is the only one that knows both.

mod body;
mod cassette;
mod client;
mod emulator;
mod read_only;
mod report;
mod writable;

pub use body::{Body, Kind, bodies};
pub use cassette::{CassetteError, Exchange, File, Format, read_folder};
pub use client::{Judgement, judge};
pub use emulator::{Agreement, differences_in, replay};
pub use read_only::{ReadOnly, of_descriptions};
pub use report::{Report, report};
