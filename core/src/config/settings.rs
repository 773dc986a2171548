//! The `plimsoll` and `provider` blocks: which deployment this is, where its state lives, how Azure is reached.

use super::attribute::{int, wrong};
use super::block::{Block, Written};
use super::codes;
use super::desired::{Backend, Blob, Rollout, Settings};
use super::evaluate::{Evaluator, Place, guard, text};
use super::resources::own;
use crate::lang::evaluate;
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use std::num::NonZeroU32;

pub(super) fn settings<'a>(
    evaluator: &'a Evaluator<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Settings> {
    let place = evaluator.place();
    let mut settings = Settings {
        deployment: "default".to_owned(),
        backend: Backend::Local {
            path: "plimsoll.state.json".to_owned(),
        },
        subscription_id: None,
        tenant_id: None,
        endpoint: None,
        rollout: Rollout::default(),
    };
    if let Some(block) = &evaluator.module.plimsoll {
        block.expect_attributes(&["required_version", "deployment"], problems);
        block.expect_blocks(&["backend", "rollout"], problems);
        if let Some((deployment, span)) = string(block, "deployment", &place, problems) {
            if !is_deployment(&deployment) {
                problems.push(
                    Diagnostic::error(codes::WRONG_NAME.code, codes::WRONG_NAME.title)
                        .at(span, format!("{deployment:?} cannot name a deployment"))
                        .help("1 to 32 of a-z, 0-9 and -: it is written into guests and firewall rules"),
                );
            }
            settings.deployment = deployment;
        }
        if let Some((required, span)) = string(block, "required_version", &place, problems) {
            required_version(&required, span, problems);
        }
        if let Some(found) = only(block, "backend", problems) {
            settings.backend = backend(&found, &place, problems).unwrap_or(settings.backend);
        }
        if let Some(found) = only(block, "rollout", problems) {
            settings.rollout = rollout(&found, &place, problems);
        }
    }
    if let Some(block) = &evaluator.module.provider {
        block.expect_attributes(&["subscription_id", "tenant_id", "endpoint"], problems);
        block.expect_blocks(&[], problems);
        settings.subscription_id = match evaluator.subscription(&block.header()) {
            Ok(subscription) => Some(subscription),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        let mut given = |name: &str| string(block, name, &place, problems).map(|(text, _)| text);
        settings.tenant_id = given("tenant_id");
        settings.endpoint = given("endpoint");
    }
    Some(settings)
}

/// The text of an attribute and its place. It is read where everyone can see it, so it may not be sensitive.
fn string(
    block: &Block<'_>,
    name: &str,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<(String, Span)> {
    let written = block.attribute(name)?;
    let span = written.value_span();
    let found = evaluate(written.value(), written.file, place).and_then(|value| {
        guard(&value, &span)?;
        if value.is_null() {
            Ok(None)
        } else {
            text(&value, &span).map(Some)
        }
    });
    match found {
        Ok(found) => found.map(|found| (found, span)),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// The block of this kind; a second one is a mistake.
fn only<'a>(block: &Block<'a>, kind: &str, problems: &mut Vec<Diagnostic>) -> Option<Block<'a>> {
    let mut found = block.blocks().filter(|b| b.kind() == kind);
    let first = found.next()?;
    if let Some(second) = found.next() {
        problems.push(
            Diagnostic::error(codes::DUPLICATE.code, codes::DUPLICATE.title)
                .at(second.header(), "declared again")
                .at(first.header(), "declared here first")
                .help(format!(
                    "a {} block has one {kind}: take one of them out",
                    block.kind()
                )),
        );
    }
    Some(first)
}

fn is_deployment(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

const BACKENDS: &[&str] = &["local", "azblob"];

fn backend(
    block: &Block<'_>,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Backend> {
    if !block.expect_labels(&["KIND"], problems) {
        return None;
    }
    block.expect_blocks(&[], problems);
    match block.label() {
        "local" => {
            block.expect_attributes(&["path"], problems);
            let (path, span) = string(block, "path", place, problems)?;
            if path.is_empty() {
                problems.push(wrong(&span, "path is the name of a file"));
            }
            Some(Backend::Local { path })
        }
        "azblob" => blob(block, place, problems).map(Backend::Azblob),
        other => {
            let label = label_span(block);
            let diagnostic = wrong(&label, format!("there is no backend {other:?}"));
            problems.push(match did_you_mean(other, BACKENDS.iter().copied()) {
                Some(near) => diagnostic.patch(
                    format!("did you mean {near:?}?"),
                    label,
                    format!("{near:?}"),
                ),
                None => diagnostic.help("it is one of local, azblob"),
            });
            None
        }
    }
}

fn label_span(block: &Block<'_>) -> Span {
    let (header, kind) = (block.header(), block.kind_span());
    Span::new(block.file.clone(), kind.end + 1..header.end)
}

/// Names of what is secret elsewhere; a state's secrets would be in version control here.
const SECRETS: &[&str] = &[
    "access_key",
    "account_key",
    "sas_token",
    "client_secret",
    "connection_string",
];

/// What Azure Storage accepts as names:
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>.
fn blob(block: &Block<'_>, place: &Place<'_>, problems: &mut Vec<Diagnostic>) -> Option<Blob> {
    let known = ["account", "container", "key", "endpoint"];
    let (secret, rest): (Vec<Written<'_>>, Vec<Written<'_>>) = block
        .attributes()
        .partition(|attribute| SECRETS.contains(&attribute.name()));
    for attribute in secret {
        problems.push(
            wrong(&attribute.name_span(), format!("{} does not belong here", attribute.name()))
                .note("a configuration is kept in version control, and its digest in every plan")
                .help("take it out: who we are to the storage account comes from the environment, as for Azure itself"),
        );
    }
    for attribute in rest.iter().filter(|a| !known.contains(&a.name())) {
        problems.push(super::block::unknown_attribute(
            attribute,
            block.kind(),
            &known,
        ));
    }
    let mut required = |name: &str, example: &str, holds: fn(&str) -> bool, takes: &str| {
        if block.attribute(name).is_none() {
            problems.push(block.missing(name, example));
        }
        let (found, span) = string(block, name, place, problems)?;
        if holds(&found) {
            return Some(found);
        }
        problems.push(wrong(&span, format!("{name} cannot be {found:?}")).help(takes));
        None
    };
    let account = required(
        "account",
        "\"…\"",
        is_account,
        "a storage account's name has 3 to 24 of a-z and 0-9",
    );
    let container = required(
        "container",
        "\"plimsoll\"",
        is_container,
        "a container's name has 3 to 63 of a-z, 0-9 and single -, beginning and ending with a letter or digit",
    );
    let key = required(
        "key",
        "\"web.plimsoll.json\"",
        is_key,
        "a blob's name has 1 to 1,024 characters, no empty parts between slashes, and does not end with a dot or slash",
    );
    let endpoint = string(block, "endpoint", place, problems).and_then(|(given, span)| {
        let endpoint = given.trim_end_matches('/');
        if is_endpoint(endpoint) {
            return Some(endpoint.to_owned());
        }
        problems.push(
            wrong(&span, format!("endpoint cannot be {given:?}"))
                .help("the URL of the blob service: \"https://ACCOUNT.blob.core.usgovcloudapi.net\"; http only to this machine"),
        );
        None
    });
    Some(Blob {
        account: account?,
        container: container?,
        key: key?,
        endpoint,
    })
}

fn is_account(name: &str) -> bool {
    (3..=24).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn is_container(name: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.contains("--")
        && letter(name.chars().next())
        && letter(name.chars().last())
}

fn is_key(name: &str) -> bool {
    (1..=1024).contains(&name.chars().count())
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.ends_with('.'))
        && !name.chars().any(|c| c.is_control() || c == '\\')
}

/// A token goes over plain HTTP to this machine only: the emulator that Microsoft has for tests.
fn is_endpoint(url: &str) -> bool {
    let host = |rest: &str| {
        let authority = rest.split('/').next().unwrap_or_default();
        let clean = !authority.is_empty()
            && !rest.contains(['?', '#', '@'])
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control());
        clean.then(|| authority.to_owned())
    };
    match url.split_once("://") {
        Some(("https", rest)) => host(rest).is_some(),
        Some(("http", rest)) => host(rest).is_some_and(|authority| {
            let name = authority
                .rsplit_once(':')
                .map_or(authority.as_str(), |(name, _)| name);
            ["127.0.0.1", "localhost", "[::1]"].contains(&name)
        }),
        _ => false,
    }
}

/// `rollout { max_parallel = 4, max_unavailable = 1 }`
fn rollout(block: &Block<'_>, place: &Place<'_>, problems: &mut Vec<Diagnostic>) -> Rollout {
    block.expect_labels(&[], problems);
    block.expect_attributes(&["max_parallel", "max_unavailable"], problems);
    block.expect_blocks(&[], problems);
    let mut number = |name: &str| {
        let (value, written) = own(block, name, place, problems)?;
        // A pool holds 5,000 members at most.
        match int(&value, name, 1, 5000, &written.value_span()) {
            Ok(number) => u32::try_from(number).ok().and_then(NonZeroU32::new),
            Err(found) => {
                problems.extend(found);
                None
            }
        }
    };
    Rollout {
        max_parallel: number("max_parallel"),
        max_unavailable: number("max_unavailable"),
    }
}

/// `>= 0.1`, `0.1.0`, `>= 0.1, < 2`.
fn required_version(required: &str, span: Span, problems: &mut Vec<Diagnostic>) {
    let running = env!("CARGO_PKG_VERSION");
    let admits = required
        .split(',')
        .map(|one| admits(one.trim(), running))
        .collect::<Option<Vec<bool>>>();
    match admits {
        Some(all) if all.iter().all(|ok| *ok) => {}
        Some(_) => problems.push(
            Diagnostic::error(codes::WRONG_VERSION.code, codes::WRONG_VERSION.title)
                .at(span, format!("this is plimsoll {running}"))
                .help("install the version that the configuration asks for, or change required_version"),
        ),
        None => problems.push(
            Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                .at(span, "this is not a version constraint")
                .help("for example \">= 0.1\" or \">= 0.1, < 2.0\""),
        ),
    }
}

fn admits(constraint: &str, running: &str) -> Option<bool> {
    let operator: String = constraint
        .chars()
        .take_while(|c| "<>=!~".contains(*c))
        .collect();
    let version = constraint[operator.len()..].trim();
    let parts = |text: &str| -> Option<[u64; 3]> {
        let mut parts = [0; 3];
        let numbers: Vec<&str> = text.split('.').collect();
        if numbers.len() > 3 {
            return None;
        }
        for (part, number) in parts.iter_mut().zip(numbers) {
            *part = number.parse().ok()?;
        }
        Some(parts)
    };
    let (wanted, found) = (parts(version)?, parts(running)?);
    Some(match operator.as_str() {
        "" | "=" => found == wanted,
        "!=" => found != wanted,
        ">" => found > wanted,
        ">=" => found >= wanted,
        "<" => found < wanted,
        "<=" => found <= wanted,
        "~>" => {
            let given = version.split('.').count();
            let fixed = given.saturating_sub(1).max(1);
            found >= wanted && found[..fixed] == wanted[..fixed]
        }
        _ => return None,
    })
}
