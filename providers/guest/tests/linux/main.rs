//! Scripts run for real, in namespaces that each test makes for itself:
//! - `writes`: expand, run again, boot, contract, on nftables and without a firewall
//! - `refusals`: cut, late, locked, moved, denied

mod namespace;
mod refusals;
mod writes;
