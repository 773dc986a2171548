//! Which api-versions exist, and what each of them shows.

use serde_json::Value;

use super::refusal::Refusal;

/// Versions of Microsoft.Network, oldest first.
const NETWORK: &[&str] = &[
    "2014-12-01-preview",
    "2015-05-01-preview",
    "2015-06-15",
    "2016-03-30",
    "2016-06-01",
    "2016-07-01",
    "2016-08-01",
    "2016-09-01",
    "2016-10-01",
    "2016-11-01",
    "2016-12-01",
    "2017-03-01",
    "2017-04-01",
    "2017-06-01",
    "2017-08-01",
    "2017-09-01",
    "2017-10-01",
    "2017-11-01",
    "2018-01-01",
    "2018-02-01",
    "2018-03-01",
    "2018-04-01",
    "2018-05-01",
    "2018-06-01",
    "2018-07-01",
    "2018-08-01",
    "2018-10-01",
    "2018-11-01",
    "2018-12-01",
    "2019-02-01",
    "2019-04-01",
    "2019-06-01",
    "2019-07-01",
    "2019-08-01",
    "2019-09-01",
    "2019-11-01",
    "2019-12-01",
    "2020-01-01",
    "2020-03-01",
    "2020-04-01",
    "2020-05-01",
    "2020-06-01",
    "2020-07-01",
    "2020-08-01",
    "2020-11-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-04-01",
    "2021-05-01",
    "2021-06-01",
    "2021-08-01",
    "2021-12-01",
    "2022-01-01",
    "2022-05-01",
    "2022-07-01",
    "2022-09-01",
    "2022-11-01",
    "2023-02-01",
    "2023-04-01",
    "2023-05-01",
    "2023-06-01",
    "2023-09-01",
    "2023-11-01",
    "2024-01-01",
    "2024-03-01",
    "2024-05-01",
    "2024-07-01",
    "2024-10-01",
    "2025-01-01",
    "2025-03-01",
    "2025-05-01",
];

/// Checks the `api-version` of a request; other providers than Microsoft.Network take any date.
///
/// # Errors
/// ARM's refusals for a missing, malformed or unknown version.
pub(super) fn check(
    version: Option<&str>,
    namespace: &str,
    kind: &str,
    location: Option<&str>,
    today: &str,
) -> Result<(), Refusal> {
    let Some(version) = version.filter(|version| !version.is_empty()) else {
        return Err(Refusal::gateway(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    if !is_date(version) {
        return Err(Refusal::gateway(
            400,
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{version}' is invalid. The supported versions are of the form '2024-01-01'."
            ),
        ));
    }
    // The list ends where our knowledge does; Microsoft's newest clients use versions beyond it.
    let newest = NETWORK.last().copied().unwrap_or_default();
    let newer = newest < version && version <= today;
    let network = namespace.eq_ignore_ascii_case("Microsoft.Network");
    if !network || newer || NETWORK.contains(&version) {
        return Ok(());
    }
    let known = NETWORK.join(",");
    Err(match location {
        // A write names a location and is refused by it (errors.json).
        Some(location) => Refusal::gateway(
            400,
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for location '{location}' and API version '{version}' for type \
                 '{kind}'. The supported api-versions are '{known}'."
            ),
        ),
        None => Refusal::gateway(
            404,
            "InvalidResourceType",
            format!(
                "The resource type '{kind}' could not be found in the namespace '{namespace}' for api version \
                 '{version}'. The supported api-versions are '{known}'."
            ),
        ),
    })
}

fn is_date(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let mut parts = date
        .split('-')
        .map(|part| (part.len(), part.bytes().all(|byte| byte.is_ascii_digit())));
    [4, 2, 2]
        .iter()
        .all(|length| parts.next() == Some((*length, true)))
        && parts.next().is_none()
}

/// The versions that a provider listing shows.
#[must_use]
pub(super) fn known(namespace: &str) -> Vec<&'static str> {
    match namespace.to_ascii_lowercase().as_str() {
        "microsoft.network" => NETWORK.iter().rev().copied().collect(),
        "microsoft.compute" => vec![
            "2024-07-01",
            "2024-03-01",
            "2023-09-01",
            "2023-03-01",
            "2022-11-01",
            "2022-08-01",
        ],
        _ => vec![
            "2024-03-01",
            "2022-12-01",
            "2022-09-01",
            "2021-04-01",
            "2020-10-01",
        ],
    }
}

/// Members that older versions do not show: type, member, first version that does.
///
/// The recordings show each absent in 2019-09-01 or 2018-11-01 and present in 2022-01-01 or
/// 2022-05-01; where in between is [INF].
const SINCE: &[(&str, &str, &str)] = &[
    (
        "microsoft.network/loadbalancers/probes",
        "probeThreshold",
        "2022-05-01",
    ),
    (
        "microsoft.network/loadbalancers/loadbalancingrules",
        "backendAddressPools",
        "2021-02-01",
    ),
    (
        "microsoft.network/loadbalancers/backendaddresspools",
        "loadBalancerBackendAddresses",
        "2020-04-01",
    ),
    (
        "microsoft.network/networkinterfaces",
        "nicType",
        "2020-07-01",
    ),
    (
        "microsoft.network/networkinterfaces",
        "vnetEncryptionSupported",
        "2021-08-01",
    ),
    (
        "microsoft.network/networkinterfaces",
        "allowPort25Out",
        "2021-08-01",
    ),
    (
        "microsoft.network/publicipaddresses",
        "ddosSettings",
        "2022-05-01",
    ),
    (
        "microsoft.network/virtualnetworks/subnets",
        "privateEndpointNetworkPolicies",
        "2019-04-01",
    ),
    (
        "microsoft.network/virtualnetworks/subnets",
        "privateLinkServiceNetworkPolicies",
        "2019-04-01",
    ),
];

/// Removes what the version does not show.
pub(super) fn cut(document: &mut Value, version: &str) {
    match document {
        Value::Object(members) => {
            let kind = members
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_ascii_lowercase();
            if version < "2020-08-01"
                && kind.starts_with("microsoft.network/")
                && let Some(sku) = members.get_mut("sku").and_then(Value::as_object_mut)
            {
                sku.shift_remove("tier");
            }
            // A frontend with a public address shows its version in 2019-09-01, and neither in
            // 2018-11-01 nor in 2022-05-01 (recordings).
            if kind == "microsoft.network/loadbalancers/frontendipconfigurations"
                && ("2019-02-01".."2022-01-01").contains(&version)
                && let Some(properties) =
                    members.get_mut("properties").and_then(Value::as_object_mut)
                && properties.contains_key("publicIPAddress")
            {
                properties
                    .entry("privateIPAddressVersion")
                    .or_insert("IPv4".into());
            }
            if version < "2020-07-01" && kind == "microsoft.network/networkinterfaces" {
                members.shift_remove("kind");
            }
            for (_, member, _) in SINCE
                .iter()
                .filter(|(of, _, since)| *of == kind && version < *since)
            {
                if let Some(properties) =
                    members.get_mut("properties").and_then(Value::as_object_mut)
                {
                    properties.shift_remove(*member);
                }
            }
            members.values_mut().for_each(|member| cut(member, version));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut(item, version)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
