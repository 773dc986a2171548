//! `lab load|arm|fault`: the emulator, spoken to directly.

use super::{failed, lab};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use plimsoll_azure::versions::api_version;
use plimsoll_core::model::ArmId;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

pub(super) async fn load(context: &Context, file: &Path) -> Result<Exit, Failure> {
    let document = read(context, file)?;
    let ids = lab(context).await?.load(&document).await.map_err(failed)?;
    context.view.document(&json!(ids));
    Ok(Exit::Done)
}

pub(super) async fn run(
    context: &Context,
    method: &str,
    id: &str,
    body: Option<&Path>,
) -> Result<Exit, Failure> {
    let body = body.map(|file| read(context, file)).transpose()?;
    let method = method.to_ascii_uppercase();
    let path = with_api_version(id);
    let reply = lab(context)
        .await?
        .arm(&method, &path, body)
        .await
        .map_err(failed)?;
    if let Some(body) = &reply.body {
        context.view.document(body);
    }
    if reply.status < 400 {
        return Ok(Exit::Done);
    }
    context.view.note(&format!(
        "{method} {id} was answered with status {}.",
        reply.status
    ));
    Ok(Exit::Error)
}

pub(super) async fn fault(context: &Context, fault: &str) -> Result<Exit, Failure> {
    let lab = lab(context).await?;
    let faults = if fault.is_empty() {
        lab.status().await.map_err(failed)?.faults
    } else {
        lab.fault(fault).await.map_err(failed)?
    };
    context.view.note(&if faults.is_empty() {
        "The emulator behaves; `plimsoll lab fault --help` lists the faults.".to_owned()
    } else {
        format!(
            "The emulator misbehaves, until `lab fault off`:\n  {}",
            faults.join("\n  ")
        )
    });
    Ok(Exit::Done)
}

/// Azure insists on a version; a person who types an id rarely cares which.
fn with_api_version(id: &str) -> String {
    if id.contains("api-version=") {
        return id.to_owned();
    }
    let (path, sign) = match id.split_once('?') {
        Some((path, _)) => (path, '&'),
        None => (id, '?'),
    };
    format!("{id}{sign}api-version={}", api_version(&ArmId::new(path)))
}

/// JSON from a file, or from standard input.
fn read(context: &Context, file: &Path) -> Result<Value, Failure> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(context.path(file))
    };
    let name = if file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        context.path(file).display().to_string()
    };
    let text = text.map_err(|error| {
        Failure::new(format!("cannot read {name}"))
            .because(&error)
            .next("Paths after -C DIR are seen from that directory.")
    })?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        Failure::new(format!("{name} is not JSON"))
            .because(&error)
            .next("An ARM document is JSON, as `az … show` and `lab arm GET` print it.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_added_where_none_is_given() {
        let id = ArmId::network("s", "g", "loadBalancers", "web").to_string();
        let versioned = with_api_version(&id);
        assert!(
            versioned.starts_with(&format!("{id}?api-version=20")),
            "{versioned}"
        );
        assert_eq!(with_api_version(&versioned), versioned);
        assert!(with_api_version(&format!("{id}?$expand=x")).contains("$expand=x&api-version="));
    }
}
