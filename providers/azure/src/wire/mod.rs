//! ARM's JSON to and from `core`'s model, driven by the schema tables.
//!
//! Decoding never fails: what has an unknown shape stays in `rest` and travels back as it came. Encoding gives the body
//! of a PUT: everything that Azure lets one write, and nothing that is read-only.

mod attributes;
mod load_balancer;
mod network_interface;
mod public_ip;
mod public_ip_prefix;
mod read_only;
mod run_command;
mod security;

pub use load_balancer::{decode_load_balancer, encode_load_balancer};
pub use network_interface::{decode_network_interface, encode_network_interface};
pub use public_ip::{decode_public_ip, encode_public_ip};
pub use public_ip_prefix::{decode_public_ip_prefix, encode_public_ip_prefix};
pub use run_command::{
    InstanceView, ManagedRunCommand, Printed, decode_run_command, decode_run_command_output,
    encode_run_command,
};
pub use security::{decode_security_group, decode_subnet};

/// A JSON object.
pub type Body = serde_json::Map<String, serde_json::Value>;

/// `properties.provisioningState`: what Azure is doing with the resource.
pub fn provisioning_state(body: &Body) -> Option<&str> {
    body.get("properties")?.get("provisioningState")?.as_str()
}

/// Whether Azure says that the last change did not come about, though the document may read as it was sent.
pub fn has_failed(body: &Body) -> bool {
    provisioning_state(body).is_some_and(|state| {
        ["Failed", "Canceled"]
            .iter()
            .any(|end| state.eq_ignore_ascii_case(end))
    })
}
