//! What ARM says about itself: clouds, tenants, subscriptions, providers.

use serde_json::{Value, json};

use super::api_version;
use super::resource_group;
use super::world::World;

/// Who this lab is: random per lab, kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    pub tenant_id: String,
    pub subscription_id: String,
    pub client_id: String,
    /// The bearer token that every ARM request must carry.
    pub token: String,
}

/// `GET /metadata/endpoints`: what azure-cli asks a cloud for (older versions get one object,
/// newer a list).
pub(super) fn endpoints(base: &str, tenant: &str, version: &str) -> Value {
    let cloud = json!({
        "name": "AzureCloud",
        "portal": base,
        "authentication": {
            "loginEndpoint": base, "audiences": [base, format!("{base}/")],
            "tenant": tenant, "identityProvider": "AAD",
        },
        "media": base,
        "graphAudience": base,
        "graph": base,
        "activeDirectoryDataLake": base,
        "batch": base,
        "resourceManager": base,
        "vmImageAliasDoc": base,
        "sqlManagement": base,
        "gallery": base,
        "galleryEndpoint": base,
        "graphEndpoint": base,
        "portalEndpoint": base,
        "suffixes": {
            "storage": "core.windows.net", "sqlServerHostname": "database.windows.net",
            "keyVaultDns": "vault.azure.net", "acrLoginServer": "azurecr.io",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        },
    });
    if version < "2018-05-01" {
        cloud
    } else if version < "2022-09-01" {
        json!([cloud])
    } else {
        cloud
    }
}

/// `GET /tenants`.
pub(super) fn tenants(identity: &Identity) -> Value {
    let tenant = &identity.tenant_id;
    json!({"value": [{"id": format!("/tenants/{tenant}"), "tenantId": tenant, "displayName": "plimsoll lab",
        "defaultDomain": "lab.invalid", "tenantCategory": "Home"}]})
}

/// One subscription: the lab takes every id as one of its own.
pub(super) fn subscription(identity: &Identity, id: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": id,
        "tenantId": identity.tenant_id,
        "displayName": "plimsoll lab",
        "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Internal_2014-09-01", "quotaId": "Internal_2014-09-01", "spendingLimit": "Off"},
    })
}

/// `GET /subscriptions`: the lab's own, and those that hold something.
pub(super) fn subscriptions(world: &World, identity: &Identity) -> Value {
    let mut ids = vec![identity.subscription_id.clone()];
    for (_, group) in world.of_type(resource_group::TYPE) {
        let id = group
            .document
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let id = id.split('/').nth(2).unwrap_or_default().to_owned();
        if !id.is_empty() && !ids.iter().any(|known| known.eq_ignore_ascii_case(&id)) {
            ids.push(id);
        }
    }
    let value: Vec<Value> = ids.iter().map(|id| subscription(identity, id)).collect();
    json!({"value": value, "count": {"type": "Total", "value": value.len()}})
}

/// `GET /subscriptions/{s}/locations`: a few, as plans and clients ask for them.
pub(super) fn locations(subscription: &str) -> Value {
    let known = [
        ("westeurope", "West Europe"),
        ("northeurope", "North Europe"),
        ("eastus", "East US"),
        ("eastus2", "East US 2"),
        ("westus", "West US"),
        ("westus2", "West US 2"),
        ("germanywestcentral", "Germany West Central"),
    ];
    let entry = |(name, display): &(&str, &str)| {
        json!({"id": format!("/subscriptions/{subscription}/locations/{name}"), "name": name, "displayName": display,
            "regionalDisplayName": display, "metadata": {"regionType": "Physical"}})
    };
    json!({"value": known.iter().map(entry).collect::<Vec<_>>()})
}

const PROVIDERS: [(&str, &[&str]); 3] = [
    (
        "Microsoft.Network",
        &[
            "loadBalancers",
            "publicIPAddresses",
            "publicIPPrefixes",
            "networkInterfaces",
            "virtualNetworks",
            "networkSecurityGroups",
            "locations",
            "locations/operations",
            "locations/operationResults",
            "operations",
        ],
    ),
    (
        "Microsoft.Compute",
        &[
            "virtualMachines",
            "virtualMachines/runCommands",
            "virtualMachineScaleSets",
            "virtualMachineScaleSets/virtualMachines",
            "virtualMachineScaleSets/virtualMachines/networkInterfaces",
            "virtualMachineScaleSets/virtualMachines/runCommands",
            "locations",
            "locations/operations",
        ],
    ),
    (
        "Microsoft.Resources",
        &[
            "deployments",
            "resourceGroups",
            "subscriptions",
            "subscriptions/resourceGroups",
            "tenants",
        ],
    ),
];

/// One provider, or all.
pub(super) fn provider(subscription: &str, namespace: &str) -> Option<Value> {
    let (name, types) = PROVIDERS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(namespace))?;
    let versions = api_version::known(name);
    let types: Vec<Value> = types
        .iter()
        .map(|kind| json!({"resourceType": kind, "locations": ["West Europe", "North Europe", "East US", "East US 2",
            "West US", "West US 2", "Germany West Central"], "apiVersions": versions, "capabilities": "None"}))
        .collect();
    Some(json!({
        "id": format!("/subscriptions/{subscription}/providers/{name}"),
        "namespace": name,
        "resourceTypes": types,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    }))
}

pub(super) fn providers(subscription: &str) -> Value {
    let all: Vec<Value> = PROVIDERS
        .iter()
        .filter_map(|(name, _)| provider(subscription, name))
        .collect();
    json!({"value": all})
}
