//! The API versions that we speak, in one place.

use plimsoll_core::model::ArmId;

/// Load balancers, public IP addresses, network interfaces: the newest version whose documents we have read in full.
/// Sovereign clouds lag behind; this one is old enough for them.
const NETWORK: &str = "2024-01-01";
const COMPUTE: &str = "2024-03-01";
const RESOURCES: &str = "2021-04-01";

/// The version to ask for, by the provider that the id names.
pub fn api_version(id: &ArmId) -> &'static str {
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
        assert_eq!(
            api_version(&ArmId::new("/subscriptions/s/resourcegroups/g")),
            RESOURCES
        );
    }
}
