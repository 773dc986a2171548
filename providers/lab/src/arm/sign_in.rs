//! The part of Microsoft Entra ID that clients ask before they ask ARM.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::catalog::{self, Identity};
use super::message::{ArmAnswer, Method};

/// Answers what is asked without a token; `None` when the path is none of these.
pub(super) fn answer(
    identity: &Identity,
    base: &str,
    method: Method,
    path: &str,
    query: &BTreeMap<String, String>,
    body: &[u8],
) -> Option<ArmAnswer> {
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method, words.as_slice()) {
        (Method::Get, ["metadata", "endpoints"]) => {
            let version = query.get("api-version").map_or("", String::as_str);
            Some(ArmAnswer::json(
                200,
                catalog::endpoints(base, &identity.tenant_id, version),
            ))
        }
        (Method::Get, ["common", "discovery", "instance"]) => {
            Some(ArmAnswer::json(200, instance(base)))
        }
        (
            Method::Get,
            [tenant, ".well-known", "openid-configuration"]
            | [tenant, "v2.0", ".well-known", "openid-configuration"],
        ) => Some(ArmAnswer::json(200, configuration(base, tenant))),
        (Method::Get, [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"]) => {
            Some(ArmAnswer::json(200, json!({"keys": []})))
        }
        (Method::Post, [_, "oauth2", "v2.0", "token"] | [_, "oauth2", "token"]) => {
            Some(token(identity, body))
        }
        _ => None,
    }
}

/// Instance discovery: the only alias of this authority is itself.
fn instance(base: &str) -> Value {
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    json!({
        "tenant_discovery_endpoint": format!("{base}/common/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    })
}

fn configuration(base: &str, tenant: &str) -> Value {
    json!({
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
        "tenant_region_scope": "EU",
        "cloud_instance_name": base.split_once("://").map_or(base, |(_, host)| host),
    })
}

/// Client credentials with any secret or assertion (FACTS 9).
fn token(identity: &Identity, body: &[u8]) -> ArmAnswer {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let refuse = |error: &str, description: &str| {
        ArmAnswer::json(
            400,
            json!({"error": error, "error_description": description}),
        )
    };
    if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return refuse(
            "unsupported_grant_type",
            "AADSTS70003: The lab's token endpoint knows only client_credentials.",
        );
    }
    let proof = ["client_secret", "client_assertion"]
        .iter()
        .any(|name| form.get(*name).is_some_and(|given| !given.is_empty()));
    if !proof || form.get("client_id").is_none_or(String::is_empty) {
        return refuse(
            "invalid_client",
            "AADSTS7000218: The request body must contain client_id and client_assertion or client_secret.",
        );
    }
    let mut answer = json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": identity.token});
    if let Some(resource) = form.get("resource") {
        // The older endpoint answers in strings.
        answer["expires_in"] = json!("3599");
        answer["resource"] = json!(resource);
    }
    ArmAnswer::json(200, answer)
}
