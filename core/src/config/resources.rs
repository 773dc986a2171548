//! Public IP addresses, load balancers and their sub-resources.

use super::attribute::{Decoded, decode, id, wrong};
use super::block::{Block, Written, unknown_block};
use super::codes;
use super::desired::{
    DesiredItem, DesiredLoadBalancer, DesiredPublicIp, DesiredPublicIpPrefix, Items,
};
use super::evaluate::{Each, Evaluator, Place, Within, guard, text};
use super::guest_settings::{guest_settings, seconds};
use super::lifecycle::lifecycle;
use crate::lang::{Value, evaluate};
use crate::model::schema::{Attribute, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX, Target};
use crate::model::{Addr, ArmId, Attr, Diagnostic, ItemKind, Kind};
use std::collections::BTreeMap;
use std::net::IpAddr;

const OF_RESOURCES: &[&str] = &["name", "resource_group", "for_each", "depends_on"];

/// The instances of a block: itself, or one for each key.
pub(super) fn each_of(
    evaluator: &Evaluator<'_>,
    block: &Block<'_>,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Option<Each>> {
    match evaluator.instances(block, place) {
        Ok(None) => vec![None],
        Ok(Some(keys)) => keys.all.iter().cloned().map(Some).collect(),
        Err(found) => {
            problems.extend(found);
            Vec::new()
        }
    }
}

pub(super) fn addr(kind: Kind, block: &Block<'_>, each: Option<&Each>) -> Addr {
    match each {
        Some(each) => Addr::keyed(kind, block.label(), &each.key),
        None => Addr::new(kind, block.label()),
    }
}

/// Evaluates an attribute that is not Azure's.
pub(super) fn own<'b>(
    block: &Block<'b>,
    name: &str,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Value, Written<'b>)> {
    let written = block.attribute(name)?;
    let value = evaluate(written.value(), written.file, place).and_then(|value| {
        guard(&value, &written.value_span())?;
        Ok(value)
    });
    match value {
        Ok(value) if value.is_null() => None,
        Ok(value) => Some((value, written)),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

pub(super) fn public_ip(
    evaluator: &Evaluator<'_>,
    block: &Block<'_>,
    each: Option<&Each>,
    lab: bool,
    problems: &mut Vec<Diagnostic>,
) -> Option<DesiredPublicIp> {
    let place = evaluator.at(each);
    block.expect_blocks(&["lifecycle"], problems);
    let beside = [OF_RESOURCES, &["lab_address"]].concat();
    let decoded = decode(block, PUBLIC_IP, &beside, None, &place, problems);
    let lab_address = own(block, "lab_address", &place, problems).and_then(|(value, written)| {
        let address = text(&value, &written.value_span())
            .ok()
            .and_then(|t| t.parse::<IpAddr>().ok());
        if address.is_none() {
            problems.push(
                wrong(&written.value_span(), "lab_address takes an IP address")
                    .help("for example \"65.52.0.1\""),
            );
        }
        address
    });
    match evaluator.id(Kind::PublicIp, block, each) {
        Ok(id) => Some(DesiredPublicIp {
            id,
            attributes: decoded.attributes,
            lab_address: lab_address.filter(|_| lab),
            lifecycle: lifecycle(block, &names(PUBLIC_IP), problems),
            span: block.header(),
        }),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

pub(super) fn public_ip_prefix(
    evaluator: &Evaluator<'_>,
    block: &Block<'_>,
    each: Option<&Each>,
    problems: &mut Vec<Diagnostic>,
) -> Option<DesiredPublicIpPrefix> {
    let place = evaluator.at(each);
    block.expect_blocks(&["lifecycle"], problems);
    let decoded = decode(
        block,
        PUBLIC_IP_PREFIX,
        OF_RESOURCES,
        None,
        &place,
        problems,
    );
    let length = decoded.attributes.get("prefix_length");
    let v6 = decoded.attributes.get("version").and_then(Attr::as_text) == Some("IPv6");
    // An IPv4 address has 32 bits; Azure hands out at most 16 IPv6 addresses.
    if let (Some(Attr::Int(length)), Some(written)) = (length, block.attribute("prefix_length"))
        && v6 != (*length > 31)
    {
        let (family, range) = match v6 {
            true => ("IPv6", "124 to 127"),
            false => ("IPv4", "21 to 31"),
        };
        problems.push(
            wrong(
                &written.value_span(),
                format!("a block of {family} addresses has a prefix length of {range}"),
            )
            .help("another length, or another `version`"),
        );
    }
    match evaluator.id(Kind::PublicIpPrefix, block, each) {
        Ok(id) => Some(DesiredPublicIpPrefix {
            id,
            attributes: decoded.attributes,
            lifecycle: lifecycle(block, &names(PUBLIC_IP_PREFIX), problems),
            span: block.header(),
        }),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

pub(super) fn load_balancer<'a>(
    evaluator: &'a Evaluator<'a>,
    block: &'a Block<'a>,
    each: Option<&'a Each>,
    problems: &mut Vec<Diagnostic>,
) -> Option<DesiredLoadBalancer> {
    let place = Place {
        within: Within::LoadBalancer(block, each),
        ..evaluator.at(each)
    };
    let beside = [OF_RESOURCES, &["drain"]].concat();
    let decoded = decode(block, LOAD_BALANCER, &beside, None, &place, problems);
    let drain_seconds = seconds(block, "drain", &place, problems);
    let id = match evaluator.id(Kind::LoadBalancer, block, each) {
        Ok(id) => id,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let mut wanted = DesiredLoadBalancer {
        id,
        attributes: decoded.attributes,
        items: Items::default(),
        lifecycle: lifecycle(block, &names(LOAD_BALANCER), problems),
        drain_seconds,
        span: block.header(),
    };
    items(evaluator, block, &place, &mut wanted, problems);
    Some(wanted)
}

fn names(table: &'static [Attribute]) -> Vec<&'static str> {
    table.iter().map(|a| a.name).collect()
}

/// The sub-resources that a block holds, in order.
pub(super) fn items<'a>(
    evaluator: &'a Evaluator<'a>,
    block: &Block<'a>,
    place: &Place<'_>,
    wanted: &mut DesiredLoadBalancer,
    problems: &mut Vec<Diagnostic>,
) {
    let words: Vec<&str> = ItemKind::ALL
        .iter()
        .map(|k| k.word())
        .chain(["lifecycle", "dynamic"])
        .collect();
    block.expect_blocks(&words, problems);
    let mut seen: BTreeMap<(ItemKind, String), Block<'_>> = BTreeMap::new();
    for child in evaluator.children(block, place, problems) {
        let Some(kind) = super::evaluate::item_kind(child.kind()) else {
            if child.is_generated() && child.kind() != "lifecycle" {
                problems.push(unknown_block(&child, &words, Some(block.kind())));
            }
            continue;
        };
        if !child.expect_labels(&["NAME"], problems) {
            continue;
        }
        let within = place.inside(&child);
        for instance in each_of(evaluator, &child, &within, problems) {
            let within = Place {
                each: instance.as_ref().or(place.each),
                ..within
            };
            let Some(item) = item(kind, &child, instance.as_ref(), wanted, &within, problems)
            else {
                continue;
            };
            let key = (kind, item.name.to_ascii_lowercase());
            match seen.get(&key) {
                Some(first) => problems.push(super::module::twice(&child, first)),
                None => {
                    seen.insert(key, child.clone());
                    wanted.drain_seconds = wanted.drain_seconds.max(item.guest.drain_seconds);
                    wanted.items.push(item);
                }
            }
        }
    }
}

fn item(
    kind: ItemKind,
    block: &Block<'_>,
    each: Option<&Each>,
    owner: &DesiredLoadBalancer,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<DesiredItem> {
    let blocks: &[&str] = match kind {
        ItemKind::BackendPool => &["lifecycle", "address", "dynamic"],
        ItemKind::Frontend
        | ItemKind::Probe
        | ItemKind::Rule
        | ItemKind::InboundNatRule
        | ItemKind::OutboundRule => &["lifecycle"],
    };
    block.expect_blocks(blocks, problems);
    let beside: &[&str] = match kind {
        ItemKind::Frontend => &["name", "for_each", "guest_mode"],
        ItemKind::Rule => &[
            "name",
            "for_each",
            "guest_ports",
            "drain",
            "wait_for_listener",
        ],
        ItemKind::BackendPool
        | ItemKind::Probe
        | ItemKind::InboundNatRule
        | ItemKind::OutboundRule => &["name", "for_each"],
    };
    let mut decoded = decode(
        block,
        kind.attributes(),
        beside,
        Some(&owner.id),
        place,
        problems,
    );
    if kind == ItemKind::Frontend {
        frontend(block, &mut decoded, problems);
    }
    if kind == ItemKind::BackendPool {
        addresses(block, &mut decoded, place, problems);
    }
    let fallback = each.map_or(block.label(), |e| &e.key);
    let name = match place.evaluator.name_of(block, place, fallback) {
        Ok(name) => name,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    if !is_arm_name(&name) {
        problems.push(
            Diagnostic::error(codes::WRONG_NAME.code, codes::WRONG_NAME.title)
                .at(block.attribute("name").map_or(block.header(), |a| a.value_span()), format!("Azure does not accept {name:?}"))
                .help("up to 80 letters, digits, _ . and -, beginning with a letter or digit and ending with one or with _"),
        );
    }
    let address = match each {
        Some(each) => format!("{}.{}[{:?}]", kind.word(), block.label(), each.key),
        None => format!("{}.{}", kind.word(), block.label()),
    };
    let guest = guest_settings(kind, block, place, problems);
    Some(DesiredItem {
        kind,
        name,
        address,
        attributes: decoded.attributes,
        guest,
        lifecycle: lifecycle(block, &names(kind.attributes()), problems),
        span: block.header(),
        attribute_spans: decoded.spans,
    })
}

/// `address "a" { ip_address, virtual_network }`: members of a pool that are no NICs.
fn addresses(
    block: &Block<'_>,
    decoded: &mut Decoded,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) {
    let network = decoded
        .attributes
        .get("virtual_network")
        .and_then(Attr::as_text)
        .map(ArmId::new);
    let mut members = BTreeMap::new();
    let mut seen: BTreeMap<String, Block<'_>> = BTreeMap::new();
    for child in place.evaluator.children(block, place, problems) {
        if child.kind() != "address" || !child.expect_labels(&["NAME"], problems) {
            continue;
        }
        child.expect_attributes(&["ip_address", "virtual_network"], problems);
        child.expect_blocks(&[], problems);
        let within = place.inside(&child);
        let Some((value, written)) = own(&child, "ip_address", &within, problems) else {
            if child.attribute("ip_address").is_none() {
                problems.push(child.missing("ip_address", "\"10.0.0.4\""));
            }
            continue;
        };
        let span = written.value_span();
        let given = text(&value, &span).ok();
        let Some(address) = given.and_then(|t| t.parse::<IpAddr>().ok()) else {
            problems.push(wrong(&span, "ip_address takes an IP address"));
            continue;
        };
        let mut member = address.to_string();
        if let Some((value, written)) = own(&child, "virtual_network", &within, problems) {
            let span = written.value_span();
            match id(&value, "virtual_network", Target::Foreign, None, &span) {
                Ok(own) if network.as_ref() == Some(&own) => {}
                Ok(own) => member = format!("{member} {own}"),
                Err(found) => problems.extend(found),
            }
        } else if network.is_none() {
            problems.push(
                child
                    .missing("virtual_network", "\"/subscriptions/…\"")
                    .note("an address means something only within a network"),
            );
        }
        if let Some(first) = seen.insert(child.label().to_owned(), child.clone()) {
            problems.push(super::module::twice(&child, &first));
        }
        members.insert(child.label().to_owned(), member);
    }
    if !members.is_empty() {
        decoded
            .attributes
            .insert("addresses".to_owned(), Attr::Map(members));
        decoded.spans.insert("addresses".to_owned(), block.header());
    }
}

/// A frontend stands on a public address or in a subnet; a given private address is a static one.
fn frontend(block: &Block<'_>, decoded: &mut Decoded, problems: &mut Vec<Diagnostic>) {
    let has = |name: &str| decoded.attributes.contains_key(name);
    if has("public_ip") && has("subnet") {
        problems.push(
            wrong(
                &block.header(),
                "this frontend has both a public_ip and a subnet",
            )
            .note("Azure refuses a frontend that is public and internal at once")
            .help("take one of them out"),
        );
    }
    if !has("public_ip")
        && !has("subnet")
        && !has("public_ip_prefix")
        && block.attribute("public_ip").is_none()
        && block.attribute("subnet").is_none()
    {
        problems.push(
            block
                .missing("public_ip", "public_ip.…")
                .help("or `subnet = \"/subscriptions/…\"` for an internal one"),
        );
    }
    if has("private_ip_address") {
        decoded
            .attributes
            .entry("private_ip_allocation".to_owned())
            .or_insert_with(|| Attr::Text("Static".to_owned()));
    }
    let address = decoded
        .attributes
        .get("private_ip_address")
        .and_then(Attr::as_text);
    if let (Some(address), Some(span)) = (address, decoded.spans.get("private_ip_address"))
        && address.parse::<IpAddr>().is_err()
    {
        problems.push(wrong(span, format!("{address:?} is not an IP address")));
    }
}

fn is_arm_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let first = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    let last = name
        .chars()
        .last()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    first && last && name.len() <= 80 && name.chars().all(inner)
}
