//! The resource types that the emulator serves.

use super::resource_id::ResourcePath;
use super::{
    load_balancer, network_interface, network_security_group, public_ip, public_ip_prefix,
    run_command, scale_set, virtual_machine, virtual_network,
};

/// A top-level type, or a nested type that is stored on its own.
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
    ScaleSet,
    ScaleSetInstance,
    InstanceInterface,
    InstanceRunCommand,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::LoadBalancer,
        Self::PublicIp,
        Self::PublicIpPrefix,
        Self::NetworkInterface,
        Self::VirtualNetwork,
        Self::NetworkSecurityGroup,
        Self::VirtualMachine,
        Self::RunCommand,
        Self::ScaleSet,
        Self::ScaleSetInstance,
        Self::InstanceInterface,
        Self::InstanceRunCommand,
    ];

    /// The kind that stores what the path names.
    #[must_use]
    pub(super) fn of(path: &ResourcePath) -> Option<Self> {
        let first = path.segments.first()?;
        let whole = |pairs: usize| path.ancestor(pairs).resource_type();
        if whole(1).eq_ignore_ascii_case(scale_set::TYPE) {
            // The interfaces of all instances are listed below the set itself.
            let within = path.segments.iter().step_by(2).skip(1);
            for word in within {
                match word.to_ascii_lowercase().as_str() {
                    "networkinterfaces" => return Some(Self::InstanceInterface),
                    "runcommands" => return Some(Self::InstanceRunCommand),
                    _ => {}
                }
            }
        }
        let nested = path
            .segments
            .get(2)
            .map(|kind| format!("{}/{first}/{kind}", path.namespace));
        let nested = nested.filter(|name| {
            [run_command::TYPE, scale_set::INSTANCE]
                .iter()
                .any(|kind| kind.eq_ignore_ascii_case(name))
        });
        let name = nested.unwrap_or_else(|| whole(1));
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
            Self::ScaleSet => scale_set::TYPE,
            Self::ScaleSetInstance => scale_set::INSTANCE,
            Self::InstanceInterface => scale_set::INTERFACE,
            Self::InstanceRunCommand => scale_set::RUN_COMMAND,
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
            Self::RunCommand | Self::InstanceRunCommand => "RunCommand",
            Self::ScaleSet => "VirtualMachineScaleSet",
            Self::ScaleSetInstance => "VirtualMachineScaleSetVM",
            Self::InstanceInterface => "VirtualMachineScaleSetNic",
        }
    }

    /// A machine with an instance view, in which scripts run.
    #[must_use]
    pub(super) fn is_machine(self) -> bool {
        matches!(self, Self::VirtualMachine | Self::ScaleSetInstance)
    }

    #[must_use]
    pub(super) fn is_run_command(self) -> bool {
        matches!(self, Self::RunCommand | Self::InstanceRunCommand)
    }

    /// The type under which documents of this kind are kept: an instance's interface is one like any other.
    #[must_use]
    pub(super) fn kept_as(self) -> &'static str {
        match self {
            Self::InstanceInterface => network_interface::TYPE,
            other => other.resource_type(),
        }
    }

    /// How many type/name pairs its ids have.
    #[must_use]
    pub(super) fn depth(self) -> usize {
        match self {
            Self::RunCommand | Self::ScaleSetInstance => 2,
            Self::InstanceInterface | Self::InstanceRunCommand => 3,
            _ => 1,
        }
    }

    #[must_use]
    pub(super) fn is_network(self) -> bool {
        !matches!(
            self,
            Self::VirtualMachine
                | Self::RunCommand
                | Self::ScaleSet
                | Self::ScaleSetInstance
                | Self::InstanceInterface
                | Self::InstanceRunCommand
        )
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
