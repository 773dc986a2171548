//! What an item says about guests, none of which Azure sees: `guest_mode`, `guest_ports`, `drain`, `wait_for_listener`.

use super::attribute::{choice, int, wrong};
use super::block::Block;
use super::desired::{GuestMode, GuestSettings};
use super::evaluate::{Place, text};
use super::resources::own;
use crate::lang::{Type, Value, convert};
use crate::model::{Diagnostic, ItemKind, Protocol, Span};

pub(super) fn guest_settings(
    kind: ItemKind,
    block: &Block<'_>,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> GuestSettings {
    match kind {
        ItemKind::Frontend => GuestSettings {
            mode: guest_mode(block, place, problems),
            ..GuestSettings::default()
        },
        ItemKind::Rule => GuestSettings {
            ports: guest_ports(block, place, problems),
            drain_seconds: seconds(block, "drain", place, problems),
            wait_for_listener_seconds: seconds(block, "wait_for_listener", place, problems),
            ..GuestSettings::default()
        },
        ItemKind::BackendPool
        | ItemKind::Probe
        | ItemKind::InboundNatRule
        | ItemKind::OutboundRule => GuestSettings::default(),
    }
}

fn guest_mode(block: &Block<'_>, place: &Place<'_>, problems: &mut Vec<Diagnostic>) -> GuestMode {
    let Some((value, written)) = own(block, "guest_mode", place, problems) else {
        return GuestMode::default();
    };
    let span = written.value_span();
    match text(&value, &span).and_then(|word| mode(&word, &span)) {
        Ok(mode) => mode,
        Err(found) => {
            problems.extend(found);
            GuestMode::default()
        }
    }
}

pub(super) fn mode(word: &str, span: &Span) -> Result<GuestMode, Vec<Diagnostic>> {
    let word = choice(word, "guest_mode", &["loopback", "cluster", "none"], span)?;
    Ok(match word.as_str() {
        "cluster" => GuestMode::Cluster,
        "none" => GuestMode::None,
        _ => GuestMode::Loopback,
    })
}

/// `[3200, "udp/53"]`: TCP unless it says otherwise.
fn guest_ports(
    block: &Block<'_>,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(Protocol, u16)> {
    let Some((value, written)) = own(block, "guest_ports", place, problems) else {
        return Vec::new();
    };
    let span = written.value_span();
    ports(&value).unwrap_or_else(|| {
        problems.push(
            wrong(&span, "guest_ports takes a list of ports")
                .help("for example [3200, 3600, \"udp/53\"]"),
        );
        Vec::new()
    })
}

pub(super) fn ports(value: &Value) -> Option<Vec<(Protocol, u16)>> {
    let parse = |item: &Value| -> Option<(Protocol, u16)> {
        let text = convert(item, &Type::String).ok()?;
        let text = text.as_str()?;
        let (protocol, port) = match text.split_once('/') {
            Some((protocol, port)) => (
                Protocol::parse(protocol).filter(|p| *p != Protocol::All)?,
                port,
            ),
            None => (Protocol::Tcp, text),
        };
        port.parse()
            .ok()
            .filter(|p| *p > 0)
            .map(|port| (protocol, port))
    };
    value
        .items()
        .and_then(|items| items.iter().map(parse).collect::<Option<Vec<_>>>())
}

/// `"90s"`, `"2m"`, or a number of seconds.
pub(super) fn seconds(
    block: &Block<'_>,
    name: &str,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> u64 {
    let Some((value, written)) = own(block, name, place, problems) else {
        return 0;
    };
    let span = written.value_span();
    if value.as_number().is_some() {
        return match int(&value, name, 0, 86_400, &span) {
            Ok(seconds) => u64::try_from(seconds).unwrap_or(0),
            Err(found) => {
                problems.extend(found);
                0
            }
        };
    }
    let parsed = value.as_str().and_then(|text| {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let factor = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        number
            .parse::<u64>()
            .ok()?
            .checked_mul(factor)
            .filter(|s| *s <= 86_400)
    });
    parsed.unwrap_or_else(|| {
        problems.push(
            wrong(&span, format!("{name} takes a time of up to a day"))
                .help("for example \"90s\" or \"2m\""),
        );
        0
    })
}
