//! The emulator's answers, request by request, on a clock turned by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lab;

/// Templates, as azure-cli sends them.
mod deployments;
/// Misbehaviour on demand.
mod faults;
/// What is put into the emulator from outside.
mod given;
/// Virtual machines and instances of scale sets: power and scripts.
mod machines;
/// What Azure refuses.
mod refusals;
/// What a write leaves behind.
mod writes;
