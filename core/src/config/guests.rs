//! Guests: their NICs, the pools those join, and how each guest is reached.

use super::attribute::{choice, id, ids, int, wrong};
use super::block::Block;
use super::codes;
use super::desired::DesiredGuest;
use super::evaluate::{Each, Evaluator, Place, guard, text};
use super::lifecycle::lifecycle;
use super::module::twice;
use crate::lang::{Type, convert, evaluate};
use crate::model::guest::{Connection, Interface, Os};
use crate::model::schema::Target;
use crate::model::{ArmId, Attr, Diagnostic, ItemKind};
use std::collections::BTreeMap;

pub(super) fn guest(
    evaluator: &Evaluator<'_>,
    block: &Block<'_>,
    each: Option<&Each>,
    problems: &mut Vec<Diagnostic>,
) -> Option<DesiredGuest> {
    let place = evaluator.at(each);
    block.expect_attributes(&["os", "for_each", "depends_on"], problems);
    block.expect_blocks(
        &["network_interface", "connection", "lifecycle", "dynamic"],
        problems,
    );
    let children = evaluator.children(block, &place, problems);
    let os = word(block, "os", &["linux", "windows"], &place, problems);
    let mut interfaces = Vec::new();
    let mut seen: BTreeMap<String, Block<'_>> = BTreeMap::new();
    for nic in children.iter().filter(|b| b.kind() == "network_interface") {
        if !nic.expect_labels(&["NAME"], problems) {
            continue;
        }
        if let Some(first) = seen.insert(nic.label().to_owned(), nic.clone()) {
            problems.push(twice(nic, &first));
        }
        interfaces.extend(interface(nic, &place.inside(nic), problems));
    }
    if interfaces.is_empty() && seen.is_empty() {
        problems.push(
            Diagnostic::error(codes::MISSING_BLOCK.code, codes::MISSING_BLOCK.title)
                .at(block.header(), "this guest has no network_interface")
                .note("the rules that reach a guest are found through the pools that its NICs join")
                .help("add `network_interface \"main\" { id = \"/subscriptions/…\", ip_configuration = \"ipconfig1\", backend_pools = [ … ] }` with each attribute on a line of its own"),
        );
    }
    let lifecycle = lifecycle(block, &[], problems);
    let connection = connection(block, &children, &place, problems)?;
    let os = match os.as_deref()? {
        "windows" => Os::Windows,
        _ => Os::Linux,
    };
    Some(DesiredGuest {
        os,
        interfaces,
        connection,
        lifecycle,
        span: block.header(),
    })
}

/// A required attribute that is one of a few words.
fn word(
    block: &Block<'_>,
    name: &str,
    words: &[&str],
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let Some(written) = block.attribute(name) else {
        problems.push(block.missing(
            name,
            &format!("{:?}", words.first().copied().unwrap_or_default()),
        ));
        return None;
    };
    let span = written.value_span();
    let chosen = evaluate(written.value(), written.file, place)
        .and_then(|value| text(&value, &span))
        .and_then(|given| choice(&given, name, words, &span));
    take(chosen, problems)
}

fn take<T>(outcome: Result<T, Vec<Diagnostic>>, problems: &mut Vec<Diagnostic>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

fn string(
    block: &Block<'_>,
    name: &str,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let written = block.attribute(name)?;
    let value = take(evaluate(written.value(), written.file, place), problems)?;
    if value.is_null() {
        return None;
    }
    take(text(&value, &written.value_span()), problems)
}

fn interface(
    block: &Block<'_>,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Interface> {
    block.expect_attributes(&["id", "ip_configuration", "backend_pools"], problems);
    block.expect_blocks(&[], problems);
    let Some(written) = block.attribute("id") else {
        problems.push(block.missing("id", "\"/subscriptions/…/networkInterfaces/…\""));
        return None;
    };
    let span = written.value_span();
    let nic = evaluate(written.value(), written.file, place)
        .and_then(|value| guard(&value, &span).map(|()| value))
        .and_then(|value| id(&value, "id", Target::Foreign, None, &span));
    let nic = take(nic, problems)?;
    if !nic.kind().eq_ignore_ascii_case("networkInterfaces") || nic.resource_group().is_none() {
        problems.push(
            wrong(&span, "this is not the id of a network interface")
                .help("/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/networkInterfaces/NAME"),
        );
    }
    let ip_configuration = string(block, "ip_configuration", place, problems)
        .unwrap_or_else(|| "ipconfig1".to_owned());
    let backend_pools = pools(block, place, problems);
    Some(Interface {
        label: block.label().to_owned(),
        id: nic,
        ip_configuration,
        backend_pools,
    })
}

fn pools(block: &Block<'_>, place: &Place<'_>, problems: &mut Vec<Diagnostic>) -> Vec<ArmId> {
    let Some(written) = block.attribute("backend_pools") else {
        return Vec::new();
    };
    let span = written.value_span();
    let found = evaluate(written.value(), written.file, place)
        .and_then(|value| guard(&value, &span).map(|()| value))
        .and_then(|value| {
            ids(
                &value,
                "backend_pools",
                Target::Item(ItemKind::BackendPool),
                None,
                &span,
            )
        });
    match take(found, problems) {
        Some(Attr::List(all)) => all.into_iter().map(ArmId::new).collect(),
        Some(Attr::Bool(_) | Attr::Int(_) | Attr::Text(_) | Attr::Map(_)) | None => Vec::new(),
    }
}

fn connection(
    block: &Block<'_>,
    children: &[Block<'_>],
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Connection> {
    let mut found = children.iter().filter(|b| b.kind() == "connection");
    let Some(connection) = found.next() else {
        problems.push(
            Diagnostic::error(codes::MISSING_BLOCK.code, codes::MISSING_BLOCK.title)
                .at(block.header(), "this guest has no connection")
                .help("add `connection \"ssh\" { host = \"…\" }`, `connection \"run_command\" {}` or `connection \"local\" {}`"),
        );
        return None;
    };
    if let Some(second) = found.next() {
        problems.push(twice(second, connection));
    }
    if !connection.expect_labels(&["TRANSPORT"], problems) {
        return None;
    }
    connection.expect_blocks(&[], problems);
    let place = &place.inside(connection);
    let span = connection.header();
    let transport = take(
        choice(
            connection.label(),
            "the transport",
            &["ssh", "run_command", "local"],
            &span,
        )
        .map_err(|found| {
            // The label is not a value: a patch of the whole header would lose the word `connection`.
            found
                .into_iter()
                .map(|mut d| {
                    d.help.iter_mut().for_each(|h| h.patch = None);
                    d
                })
                .collect()
        }),
        problems,
    )?;
    match transport.as_str() {
        "run_command" => {
            connection.expect_attributes(&["virtual_machine", "managed"], problems);
            let virtual_machine =
                string(connection, "virtual_machine", place, problems).map(ArmId::new);
            Some(Connection::RunCommand {
                virtual_machine,
                managed: managed(connection, place, problems),
            })
        }
        "local" => {
            connection.expect_attributes(&[], problems);
            Some(Connection::Local)
        }
        _ => ssh(connection, place, problems),
    }
}

fn managed(block: &Block<'_>, place: &Place<'_>, problems: &mut Vec<Diagnostic>) -> bool {
    let Some(written) = block.attribute("managed") else {
        return false;
    };
    let span = written.value_span();
    let value = evaluate(written.value(), written.file, place)
        .and_then(|v| guard(&v, &span).map(|()| v))
        .and_then(|v| convert(&v, &Type::Bool).map_err(|why| vec![wrong(&span, why)]));
    take(value, problems).and_then(|v| v.as_bool()) == Some(true)
}

fn ssh(block: &Block<'_>, place: &Place<'_>, problems: &mut Vec<Diagnostic>) -> Option<Connection> {
    block.expect_attributes(
        &["host", "user", "port", "identity_file", "config_file"],
        problems,
    );
    if block.attribute("host").is_none() {
        problems.push(block.missing("host", "\"vm1.internal\""));
        return None;
    }
    let host = string(block, "host", place, problems)?;
    for name in ["host", "user"] {
        let given = if name == "host" {
            Some(host.clone())
        } else {
            string(block, name, place, &mut Vec::new())
        };
        // ssh would take a leading dash for an option; white space and control characters are in no host's name.
        let bad = given.is_some_and(|g| {
            g.is_empty()
                || g.starts_with('-')
                || g.chars().any(|c| c.is_whitespace() || c.is_control())
        });
        if bad && let Some(written) = block.attribute(name) {
            problems.push(wrong(
                &written.value_span(),
                format!("this cannot be the {name} of an ssh connection"),
            ));
        }
    }
    let port = block.attribute("port").and_then(|written| {
        let span = written.value_span();
        let port = evaluate(written.value(), written.file, place)
            .and_then(|v| guard(&v, &span).map(|()| v))
            .and_then(|v| convert(&v, &Type::Number).map_err(|why| vec![wrong(&span, why)]))
            .and_then(|v| int(&v, "port", 1, 65535, &span));
        take(port, problems).and_then(|p| u16::try_from(p).ok())
    });
    Some(Connection::Ssh {
        host,
        user: string(block, "user", place, problems),
        port,
        identity_file: string(block, "identity_file", place, problems),
        config_file: string(block, "config_file", place, problems),
    })
}
