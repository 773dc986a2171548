//! The planner and the engine against a simulated world: Azure and guests in memory, with packets.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod asked;
mod claims;
mod example;
mod findings;
mod job;
mod language;
mod model;
mod modes;
mod options;
mod prefixes;
mod review;
mod windows;
mod world;
