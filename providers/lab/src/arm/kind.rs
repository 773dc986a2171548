//! The resource types that the emulator serves.

use super::resource_id::ResourcePath;
use super::{
    load_balancer, network_interface, network_security_group, public_ip, public_ip_prefix,
    run_command, virtual_machine, virtual_network,
};

/// A top-level type, or the one nested type that is stored on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    LoadBalancer,
    PublicIp,
    PublicIpPrefix,
    NetworkInterface,
    VirtualNetwork,
    NetworkSecurityGroup,
    VirtualMachine,
    RunCommand,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::LoadBalancer,
        Self::PublicIp,
        Self::PublicIpPrefix,
        Self::NetworkInterface,
        Self::VirtualNetwork,
        Self::NetworkSecurityGroup,
        Self::VirtualMachine,
        Self::RunCommand,
    ];

    /// The kind that stores what the path names.
    #[must_use]
    pub(super) fn of(path: &ResourcePath) -> Option<Self> {
        let first = path.segments.first()?;
        let nested = path
            .segments
            .get(2)
            .filter(|kind| kind.eq_ignore_ascii_case("runCommands"));
        let name = match nested {
            Some(_) if first.eq_ignore_ascii_case("virtualMachines") => {
                run_command::TYPE.to_owned()
            }
            _ => format!("{}/{first}", path.namespace),
        };
        Self::ALL
            .into_iter()
            .find(|kind| kind.resource_type().eq_ignore_ascii_case(&name))
    }

    #[must_use]
    pub(super) fn resource_type(self) -> &'static str {
        match self {
            Self::LoadBalancer => load_balancer::TYPE,
            Self::PublicIp => public_ip::TYPE,
            Self::PublicIpPrefix => public_ip_prefix::TYPE,
            Self::NetworkInterface => network_interface::TYPE,
            Self::VirtualNetwork => virtual_network::TYPE,
            Self::NetworkSecurityGroup => network_security_group::TYPE,
            Self::VirtualMachine => virtual_machine::TYPE,
            Self::RunCommand => run_command::TYPE,
        }
    }

    /// As operation names spell it: `PutLoadBalancerOperation`.
    #[must_use]
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::PublicIp => "PublicIpAddress",
            Self::PublicIpPrefix => "PublicIpPrefix",
            Self::NetworkInterface => "Nic",
            Self::VirtualNetwork => "VirtualNetwork",
            Self::NetworkSecurityGroup => "NetworkSecurityGroup",
            Self::VirtualMachine => "VirtualMachine",
            Self::RunCommand => "RunCommand",
        }
    }

    /// How many type/name pairs its ids have.
    #[must_use]
    pub(super) fn depth(self) -> usize {
        if self == Self::RunCommand { 2 } else { 1 }
    }

    #[must_use]
    pub(super) fn is_network(self) -> bool {
        !matches!(self, Self::VirtualMachine | Self::RunCommand)
    }

    /// Sub-resources that have a PUT and DELETE of their own, and their operations' noun. On a load
    /// balancer only these two (FACTS 1).
    #[must_use]
    pub(super) fn writable_child(self, kind: &str) -> Option<(&'static str, &'static str)> {
        let children: &[(&str, &str)] = match self {
            Self::LoadBalancer => &[
                ("backendAddressPools", "LoadBalancerBackendAddressPool"),
                ("inboundNatRules", "InboundNatRule"),
            ],
            Self::VirtualNetwork => &[("subnets", "Subnet")],
            Self::NetworkSecurityGroup => &[("securityRules", "SecurityRule")],
            _ => &[],
        };
        children
            .iter()
            .find(|(array, _)| array.eq_ignore_ascii_case(kind))
            .copied()
    }
}
