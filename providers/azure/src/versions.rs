//! The API versions that we speak, in one place.

use plimsoll_core::model::ArmId;

/// Load balancers, public IP addresses, network interfaces: the newest version whose documents we have read in full.
/// Sovereign clouds lag behind; this one is old enough for them.
const NETWORK: &str = "2024-01-01";
const COMPUTE: &str = "2024-03-01";
/// Network interfaces of scale sets' instances stand below Microsoft.Compute and are described by Microsoft.Network, once and
/// for all in this version (azure-rest-api-specs, vmssNetworkInterface.json).
const SCALE_SET_INTERFACES: &str = "2018-10-01";
const RESOURCES: &str = "2021-04-01";

/// The version to ask for, by the provider that the id names.
pub fn api_version(id: &ArmId) -> &'static str {
    if id.is_of_scale_set() && id.kind().eq_ignore_ascii_case("networkInterfaces") {
        return SCALE_SET_INTERFACES;
    }
    let id = id.folded();
    // The last provider counts: an extension resource names two.
    match id.rsplit("/providers/").next() {
        Some(rest) if rest.starts_with("microsoft.network/") => NETWORK,
        Some(rest) if rest.starts_with("microsoft.compute/") => COMPUTE,
        _ => RESOURCES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_chooses_the_version() {
        let lb = ArmId::network("s", "g", "loadBalancers", "web");
        assert_eq!(api_version(&lb), NETWORK);
        let vm =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1";
        assert_eq!(api_version(&ArmId::new(vm)), COMPUTE);
        let instance = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web/virtualMachines/0";
        let instance = ArmId::new(instance);
        assert_eq!(api_version(&instance), COMPUTE);
        let interface = instance.child("networkInterfaces", "main");
        assert_eq!(api_version(&interface), SCALE_SET_INTERFACES);
        assert_eq!(
            api_version(&ArmId::new("/subscriptions/s/resourcegroups/g")),
            RESOURCES
        );
    }
}
