//! Linux guests: one POSIX sh script to read, one to write; both answer with the same framed facts.

pub(crate) mod addresses;
pub(crate) mod boot;
pub(crate) mod entries;
pub mod facts;
pub mod firewall;
pub mod frame;
pub(crate) mod listeners;
pub(crate) mod network;
pub(crate) mod pack;
pub mod revert;
pub(crate) mod script;
pub mod standalone;
pub(crate) mod verify;
pub mod write;

pub use script::{probe, windowed};
