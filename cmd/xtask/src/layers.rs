//! Which crate may depend on which, so that the invariants of core/README.md are held by a machine.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Ordinary dependencies that a crate must not have, directly or through others.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "plimsoll-core",
        &["tokio", "reqwest", "azure_core", "axum", "hyper"],
        "core thinks and does no I/O",
    ),
    (
        "plimsoll-lab",
        &["plimsoll-core", "plimsoll-azure"],
        "the emulator shares no types with the Azure client",
    ),
    (
        "plimsoll-azure",
        &["plimsoll-guest", "plimsoll-lab", "plimsoll-store"],
        "only cmd names concrete providers",
    ),
    (
        "plimsoll-guest",
        &["plimsoll-azure", "plimsoll-lab", "plimsoll-store"],
        "only cmd names concrete providers",
    ),
    (
        "plimsoll-store",
        &["plimsoll-azure", "plimsoll-guest", "plimsoll-lab"],
        "only cmd names concrete providers",
    ),
    (
        "plimsoll",
        &["aws-lc-sys", "openssl-sys"],
        "no C build with cmake: TLS is rustls with ring",
    ),
];

pub(crate) fn check() -> Result<(), String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .map_err(|error| format!("cargo metadata could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    let names = names(&metadata);
    let edges = edges(&metadata);
    let mut wrong = Vec::new();
    for (package, forbidden, why) in FORBIDDEN {
        let Some(start) = names
            .iter()
            .find(|(_, name)| name == package)
            .map(|(id, _)| id)
        else {
            return Err(format!("there is no crate {package}"));
        };
        let reached: BTreeSet<&str> = reach(start, &edges)
            .into_iter()
            .filter_map(|id| names.get(id).map(String::as_str))
            .collect();
        for name in forbidden.iter().filter(|name| reached.contains(*name)) {
            wrong.push(format!("{package} depends on {name}: {why}"));
        }
    }
    if wrong.is_empty() {
        println!("layers hold: {} crates checked", FORBIDDEN.len());
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn names(metadata: &Value) -> BTreeMap<String, String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|p| Some((p["id"].as_str()?.to_owned(), p["name"].as_str()?.to_owned())))
        .collect()
}

/// Ordinary dependencies; those of builds and tests do not ship.
fn edges(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let nodes = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten();
    nodes
        .filter_map(|node| {
            let ordinary = node["deps"].as_array().into_iter().flatten().filter(|dep| {
                dep["dep_kinds"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|kind| kind["kind"].is_null())
            });
            let ids = ordinary
                .filter_map(|dep| dep["pkg"].as_str().map(str::to_owned))
                .collect();
            Some((node["id"].as_str()?.to_owned(), ids))
        })
        .collect()
}

fn reach<'a>(start: &str, edges: &'a BTreeMap<String, Vec<String>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&'a str> = edges
        .get(start)
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            next.extend(edges.get(id).into_iter().flatten().map(String::as_str));
        }
    }
    seen
}
