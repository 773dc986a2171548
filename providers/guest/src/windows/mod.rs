//! Windows guests: one PowerShell script to read, one to write; both answer with the same framed facts.
//!
//! **These scripts were never executed on Windows.** What holds them up: a grammar check, golden files, and tests that feed
//! back what Windows is known to answer.

pub mod facts;
pub(crate) mod firewall;
pub mod frame;
pub(crate) mod script;
pub(crate) mod verify;
pub mod write;

pub use script::{probe, quote};
