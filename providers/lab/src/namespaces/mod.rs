//! The lab's namespaces, made by spawning util-linux and iproute2, with or without root.
//!
//! One root (user, mount, network, PID) holds the fabric; one network namespace holds the client;
//! each guest has network, mount, PID, UTS and IPC namespaces below it.

mod etc;
mod network;
mod spawn;
mod tools;

pub(crate) use etc::prepare_guest_directory;
pub use network::{CLIENT_V4, CLIENT_V6};
pub(crate) use network::{
    client_network, detach_interface, fabric_network, guest_network, guest_routing, mark_rule,
};
pub(crate) use spawn::{
    Root, client_command, guest_command, guest_namespace, run_in_root, start_client, start_guest,
    start_root,
};
pub(crate) use tools::nsenter;
pub use tools::{Tools, check};
