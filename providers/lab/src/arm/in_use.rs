//! What is in use cannot be deleted.

use serde_json::Value;

use super::document::{parts, reference, references, text};
use super::kind::Kind;
use super::refusal::Refusal;
use super::shown::{show, users_of_public_ip};
use super::world::World;
use super::{network_security_group, virtual_network};

/// What is in use cannot go (errors.json, recorded bodies).
pub(super) fn deletable(world: &World, kind: Kind, document: &Value) -> Result<(), Refusal> {
    let id = text(document, "id");
    match kind {
        Kind::PublicIp => match users_of_public_ip(world, id).first() {
            None => Ok(()),
            Some(user) => Err(Refusal::bad(
                "PublicIPAddressCannotBeDeleted",
                format!(
                    "Public IP address {id} can not be deleted since it is still allocated to resource {user}. In order to \
                     delete the public IP, disassociate/detach the Public IP address from the resource.  To learn how to \
                     do this, see aka.ms/deletepublicip."
                ),
            )),
        },
        Kind::NetworkInterface => match reference(document, "virtualMachine") {
            None => Ok(()),
            Some(machine) => Err(Refusal::bad(
                "NicInUse",
                format!(
                    "Network Interface {id} is used by existing resource {machine}. In order to delete the network \
                     interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."
                ),
            )),
        },
        Kind::VirtualNetwork => parts(document, "subnets")
            .iter()
            .try_for_each(|subnet| virtual_network::unused(world, text(subnet, "id"))),
        Kind::NetworkSecurityGroup => network_security_group::unused(world, id),
        Kind::PublicIpPrefix => {
            let shown = world
                .resource(id)
                .map(|resource| show(world, resource, "9999"))
                .unwrap_or_default();
            let frontend = reference(&shown, "loadBalancerFrontendIpConfiguration");
            let users = references(&shown, "publicIPAddresses");
            match users.first().copied().or(frontend) {
                None => Ok(()),
                // Code from memory of the service [INF].
                Some(user) => Err(Refusal::bad(
                    "PublicIpPrefixCannotBeDeleted",
                    format!(
                        "Public IP prefix {id} can not be deleted since it is still in use by {user}."
                    ),
                )),
            }
        }
        Kind::LoadBalancer
        | Kind::VirtualMachine
        | Kind::RunCommand
        | Kind::ScaleSet
        | Kind::ScaleSetInstance
        | Kind::InstanceInterface
        | Kind::InstanceRunCommand => Ok(()),
    }
}
