//! A first configuration, commented, in the canonical layout: the text of `init`.

use crate::lang;
use std::fmt::Write as _;

/// What a person wants to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaffold {
    /// 1 to 32 letters a-z, digits and hyphens.
    pub deployment: String,
    pub subscription: String,
    pub resource_group: String,
    pub location: String,
    pub frontend: ScaffoldFrontend,
    /// Frontend port and backend port.
    pub port: u16,
    pub protocol: ScaffoldProtocol,
    /// Where the health probe asks, on the VM's own address.
    pub probe_port: u16,
    pub guests: Vec<String>,
    pub windows: bool,
    pub backend: ScaffoldBackend,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScaffoldFrontend {
    Public,
    /// The id of a subnet, and an address in it.
    Internal {
        subnet: String,
        address: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaffoldProtocol {
    Tcp,
    Udp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScaffoldBackend {
    Local,
    Azblob { account: String, container: String },
}

/// The configuration.
pub fn scaffold(wanted: &Scaffold) -> String {
    let mut text = String::new();
    let parts = [
        settings(wanted),
        variables(wanted),
        frontend(wanted),
        load_balancer(wanted),
        guests(wanted),
    ];
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(part);
    }
    // It is well-formed by construction; should it not be, the person sees the text and the parser's complaint.
    lang::format(&text).unwrap_or(text)
}

/// A quoted string of the language; nothing in it is a template.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{escaped}\"")
}

fn settings(wanted: &Scaffold) -> String {
    let backend = match &wanted.backend {
        ScaffoldBackend::Local => format!(
            "  # The state of one machine. A team or a pipeline wants backend \"azblob\".\n  backend \"local\" {{\n    path = {}\n  }}\n",
            quoted(&format!("{}.plimsoll.json", wanted.deployment))
        ),
        ScaffoldBackend::Azblob { account, container } => format!(
            "  # A lease on the blob is the lock, so that two pipelines never apply at once.\n  backend \"azblob\" {{\n    account   = {}\n    container = {}\n    key       = {}\n  }}\n",
            quoted(account),
            quoted(container),
            quoted(&format!("{}.plimsoll.json", wanted.deployment))
        ),
    };
    format!(
        "plimsoll {{\n  required_version = {}\n\n  # Marks what is ours, in the guests too. Do not change it later.\n  deployment = {}\n\n{backend}}}\n\n\
         provider \"azure\" {{\n  subscription_id = var.subscription_id\n}}\n",
        quoted(concat!(
            ">= ",
            env!("CARGO_PKG_VERSION_MAJOR"),
            ".",
            env!("CARGO_PKG_VERSION_MINOR")
        )),
        quoted(&wanted.deployment),
    )
}

fn variables(wanted: &Scaffold) -> String {
    format!(
        "variable \"subscription_id\" {{\n  type    = string\n  default = {}\n}}\n",
        quoted(&wanted.subscription)
    )
}

fn frontend(wanted: &Scaffold) -> String {
    match wanted.frontend {
        ScaffoldFrontend::Internal { .. } => String::new(),
        ScaffoldFrontend::Public => format!(
            "public_ip \"main\" {{\n  resource_group = {}\n  location       = {}\n\n  # Its address in the lab; Azure chooses its own.\n  lab_address = \"65.52.0.1\"\n}}\n",
            quoted(&wanted.resource_group),
            quoted(&wanted.location)
        ),
    }
}

fn load_balancer(wanted: &Scaffold) -> String {
    let (frontend, snat) = match &wanted.frontend {
        ScaffoldFrontend::Public => (
            "    public_ip = public_ip.main\n".to_owned(),
            "    # The VMs' own connections want a NAT gateway or an outbound rule, and not this address.\n    disable_outbound_snat = true\n",
        ),
        ScaffoldFrontend::Internal { subnet, address } => (
            format!(
                "    subnet                = {}\n    private_ip_address    = {}\n    private_ip_allocation = \"Static\"\n",
                quoted(subnet),
                quoted(address)
            ),
            "",
        ),
    };
    let protocol = match wanted.protocol {
        ScaffoldProtocol::Tcp => "Tcp",
        ScaffoldProtocol::Udp => "Udp",
    };
    format!(
        r#"load_balancer "main" {{
  resource_group = {}
  location       = {}

  frontend "main" {{
{frontend}  }}

  backend_pool "vms" {{}}

  # Azure asks the VM's own address, also for floating IP rules: something must answer there.
  probe "health" {{
    protocol            = "Tcp"
    port                = {}
    interval_in_seconds = 5
    probe_threshold     = 2
  }}

  rule "main" {{
    frontend      = frontend.main
    backend_pools = [backend_pool.vms]
    probe         = probe.health
    protocol      = "{protocol}"
    frontend_port = {port}
    backend_port  = {port}

    # Packets arrive with the frontend's address as destination. From this follows what each VM must hold: the address on
    # its loopback interface, and an opening in its firewall. plimsoll sets both.
    floating_ip = true

{snat}  }}
}}
"#,
        quoted(&wanted.resource_group),
        quoted(&wanted.location),
        wanted.probe_port,
        port = wanted.port,
    )
}

fn guests(wanted: &Scaffold) -> String {
    let os = if wanted.windows { "windows" } else { "linux" };
    let mut text = String::new();
    for guest in &wanted.guests {
        let nic = format!(
            "/subscriptions/${{var.subscription_id}}/resourceGroups/{}/providers/Microsoft.Network/networkInterfaces/{guest}-nic",
            wanted.resource_group
        );
        let gap = if text.is_empty() { "" } else { "\n" };
        write!(
            text,
            r#"{gap}guest {label} {{
  os = "{os}"

  network_interface "main" {{
    id               = "{nic}"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.main.backend_pool.vms]
  }}

  # Your own ssh: ~/.ssh/config, known hosts, agent and ProxyJump count.
  connection "ssh" {{
    host = {host}
  }}
}}
"#,
            label = quoted(guest),
            host = quoted(guest),
        )
        .expect("a String takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Inputs, SourceSet, load};
    use crate::lang::NoFiles;

    fn wanted() -> Scaffold {
        Scaffold {
            deployment: "web".to_owned(),
            subscription: "00000000-0000-0000-0000-000000000000".to_owned(),
            resource_group: "rg-web".to_owned(),
            location: "westeurope".to_owned(),
            frontend: ScaffoldFrontend::Public,
            port: 443,
            protocol: ScaffoldProtocol::Tcp,
            probe_port: 8080,
            guests: vec!["vm1".to_owned(), "vm2".to_owned()],
            windows: false,
            backend: ScaffoldBackend::Local,
        }
    }

    /// Formatted already, and without anything to say about it.
    #[track_caller]
    fn check(wanted: &Scaffold) {
        let text = scaffold(wanted);
        assert_eq!(lang::format(&text).as_deref(), Ok(text.as_str()));
        let mut sources = SourceSet::default();
        sources
            .files
            .insert("main.plim.hcl".into(), text.as_str().into());
        let (configuration, problems) = load(&sources, &Inputs::default(), &NoFiles);
        assert!(problems.is_empty(), "{problems:#?}\n{text}");
        let desired = configuration.expect("it is valid").desired;
        assert_eq!(desired.guests.len(), wanted.guests.len());
    }

    #[test]
    fn every_choice_is_a_configuration_without_a_complaint() {
        check(&wanted());
        check(&Scaffold {
            frontend: ScaffoldFrontend::Internal {
                subnet: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s".to_owned(),
                address: "10.0.0.100".to_owned(),
            },
            protocol: ScaffoldProtocol::Udp,
            port: 53,
            ..wanted()
        });
        check(&Scaffold {
            windows: true,
            backend: ScaffoldBackend::Azblob {
                account: "contosostate".to_owned(),
                container: "plimsoll".to_owned(),
            },
            ..wanted()
        });
    }

    #[test]
    fn what_was_typed_is_text() {
        assert_eq!(quoted(r#"a"b\c${d}%{e}"#), r#""a\"b\\c$${d}%%{e}""#);
    }
}
