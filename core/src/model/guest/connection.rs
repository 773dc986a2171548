//! How a guest is reached, and which NICs it has.

use crate::model::{Addr, ArmId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    Linux,
    Windows,
}

impl Os {
    /// As a configuration says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        }
    }
}

/// The transport that runs a script in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "transport", rename_all = "snake_case")]
pub enum Connection {
    /// The system's OpenSSH client, which honours the user's own configuration.
    Ssh {
        host: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity_file: Option<String>,
        /// `-F`: another client configuration than `~/.ssh/config`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config_file: Option<String>,
    },
    /// Through Azure Resource Manager; the id of the virtual machine.
    RunCommand {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        virtual_machine: Option<ArmId>,
        /// As a resource of its own, beside whatever else runs there, instead of the action that has a machine to itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        managed: bool,
    },
    /// This very machine.
    Local,
}

impl Connection {
    /// What the plan's headline says of it.
    pub fn describe(&self) -> String {
        match self {
            Self::Ssh { host, .. } => format!("ssh {host}"),
            Self::RunCommand { managed: true, .. } => "managed run command".to_owned(),
            Self::RunCommand { .. } => "run command".to_owned(),
            Self::Local => "this machine".to_owned(),
        }
    }
}

/// One NIC of a guest and the pools it joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub label: String,
    pub id: ArmId,
    pub ip_configuration: String,
    pub backend_pools: Vec<ArmId>,
}

impl Interface {
    /// The id that Azure's back-references name.
    pub fn ip_configuration_id(&self) -> ArmId {
        self.id.child("ipConfigurations", &self.ip_configuration)
    }
}

/// All that is needed to run a script in a guest, now or after it left the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestRef {
    pub addr: Addr,
    pub os: Os,
    pub connection: Connection,
}
