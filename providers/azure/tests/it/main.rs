//! The Azure provider from outside.

/// A Resource Manager in memory.
#[cfg(test)]
mod fake;

/// What is sent to write, and what becomes of it when something moves, breaks or comes late.
#[cfg(test)]
mod enact;
/// There, not there, or not readable.
#[cfg(test)]
mod observe;
/// Recorded traffic of real Azure goes through without loss and without false differences.
#[cfg(test)]
mod recordings;
