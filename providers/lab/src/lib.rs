//! The local lab: an ARM emulator on loopback, guests that are Linux namespaces, and a packet
//! fabric between them that delivers as Azure's load balancer does.
//!
//! **Invariant:** it shares no types with `plimsoll-core` and `plimsoll-azure`. What crosses the
//! border is JSON, so that a wrong field name in the client cannot cancel out in the emulator.
//!
//! **Invariant:** nothing on the host outside `.plimsoll/` changes; every address, firewall rule
//! and mount lives in a namespace that ends with the lab.

pub mod arm;

pub mod layout;
pub mod seed;

pub mod fabric;
pub mod namespaces;

pub mod agent;
pub mod daemon;

pub mod client;

pub use client::Lab;
pub use error::LabError;

mod error;
