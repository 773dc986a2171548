//! Attributes by their schema: one table decides type, range, words and references.

use super::block::{Block, Written};
use super::codes;
use super::evaluate::{Place, guard, text};
use crate::lang::value::Kind as ValueKind;
use crate::lang::{Type, Value, convert, evaluate};
use crate::model::diag::did_you_mean;
use crate::model::schema::{Attribute, Fallback, Shape, Target};
use crate::model::{ArmId, Attr, Attributes, Diagnostic, Span};
use std::collections::BTreeMap;

/// The attributes of one block, each with the place of its value.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub attributes: Attributes,
    pub spans: BTreeMap<String, Span>,
}

/// `owner` is the load balancer's id, for strings that name its sub-resources.
pub(super) fn decode(
    block: &Block<'_>,
    table: &'static [Attribute],
    beside: &[&str],
    owner: Option<&ArmId>,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Decoded {
    let known: Vec<&str> = table
        .iter()
        .map(|a| a.name)
        .chain(beside.iter().copied())
        .collect();
    block.expect_attributes(&known, problems);
    let mut decoded = Decoded::default();
    for attribute in table {
        let Some(written) = block.attribute(attribute.name) else {
            if attribute.default == Fallback::Required {
                problems.push(block.missing(attribute.name, &example(attribute)));
            }
            continue;
        };
        match value(&written, attribute, owner, place) {
            Ok(Some(value)) => {
                decoded.attributes.insert(attribute.name.to_owned(), value);
                decoded
                    .spans
                    .insert(attribute.name.to_owned(), written.value_span());
            }
            Ok(None) if attribute.default == Fallback::Required => {
                problems.push(block.missing(attribute.name, &example(attribute)));
            }
            Ok(None) => {}
            Err(found) => problems.extend(found),
        }
    }
    decoded
}

fn example(attribute: &Attribute) -> String {
    match attribute.shape {
        Shape::Bool => "true".to_owned(),
        Shape::Int(low, _) => low.max(80).to_string(),
        Shape::Text => "\"…\"".to_owned(),
        Shape::Choice(words) => format!("{:?}", words.first().copied().unwrap_or_default()),
        Shape::Texts => "[\"…\"]".to_owned(),
        Shape::Id(Target::Item(kind)) => format!("{}.…", kind.word()),
        Shape::Id(Target::PublicIp) => "public_ip.…".to_owned(),
        Shape::Id(Target::PublicIpPrefix) => "public_ip_prefix.…".to_owned(),
        Shape::Id(Target::Foreign) => "\"/subscriptions/…\"".to_owned(),
        Shape::Ids(Target::Item(kind)) => format!("[{}.…]", kind.word()),
        Shape::Ids(Target::PublicIp | Target::PublicIpPrefix | Target::Foreign) => {
            "[\"/subscriptions/…\"]".to_owned()
        }
        Shape::Tags | Shape::Addresses => "{}".to_owned(),
    }
}

type Outcome<T> = Result<T, Vec<Diagnostic>>;

fn value(
    written: &Written<'_>,
    attribute: &Attribute,
    owner: Option<&ArmId>,
    place: &Place<'_>,
) -> Outcome<Option<Attr>> {
    let value = evaluate(written.value(), written.file, place)?;
    if value.is_null() {
        return Ok(None);
    }
    guard(&value, &written.value_span())?;
    attr(&value, attribute, owner, &written.value_span()).map(Some)
}

pub(super) fn wrong(span: &Span, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title).at(span.clone(), label)
}

fn attr(value: &Value, attribute: &Attribute, owner: Option<&ArmId>, span: &Span) -> Outcome<Attr> {
    let name = attribute.name;
    let as_type =
        |ty: &Type| convert(value, ty).map_err(|why| vec![wrong(span, format!("{name}: {why}"))]);
    match attribute.shape {
        Shape::Bool => as_type(&Type::Bool).map(|v| Attr::Bool(v.as_bool() == Some(true))),
        Shape::Int(low, high) => {
            int(&as_type(&Type::Number)?, name, low, high, span).map(Attr::Int)
        }
        Shape::Text => as_type(&Type::String)
            .and_then(|v| text(&v, span))
            .map(Attr::Text),
        Shape::Choice(words) => {
            choice(&text(&as_type(&Type::String)?, span)?, name, words, span).map(Attr::Text)
        }
        Shape::Texts => as_type(&Type::list(Type::String))?
            .items()
            .unwrap_or_default()
            .iter()
            .map(|item| text(item, span))
            .collect::<Outcome<Vec<_>>>()
            .map(Attr::List),
        Shape::Tags | Shape::Addresses => {
            let map = as_type(&Type::map(Type::String))?;
            let entries = map.entries().into_iter().flatten();
            entries
                .map(|(key, value)| Ok((key.to_string(), text(value, span)?)))
                .collect::<Outcome<BTreeMap<_, _>>>()
                .map(Attr::Map)
        }
        Shape::Id(target) => {
            id(value, name, target, owner, span).map(|id| Attr::Text(id.to_string()))
        }
        Shape::Ids(target) => ids(value, name, target, owner, span),
    }
}

pub(super) fn int(value: &Value, name: &str, low: i64, high: i64, span: &Span) -> Outcome<i64> {
    let number = value
        .as_number()
        .and_then(|n| n.to_string().parse::<i64>().ok());
    match number {
        Some(number) if (low..=high).contains(&number) => Ok(number),
        Some(number) => Err(vec![wrong(
            span,
            format!("{name} is {number}, it must be from {low} to {high}"),
        )]),
        None => Err(vec![wrong(
            span,
            format!("{name} must be a whole number from {low} to {high}"),
        )]),
    }
}

/// Azure compares its words without case; what is planned is spelled as Azure spells it.
pub(super) fn choice(given: &str, name: &str, words: &[&str], span: &Span) -> Outcome<String> {
    if let Some(word) = words.iter().find(|w| w.eq_ignore_ascii_case(given)) {
        return Ok((*word).to_owned());
    }
    let diagnostic = wrong(span, format!("{name} cannot be {given:?}"));
    Err(vec![match did_you_mean(given, words.iter().copied()) {
        Some(near) => diagnostic.patch(
            format!("did you mean {near:?}?"),
            span.clone(),
            format!("{near:?}"),
        ),
        None => diagnostic.help(format!("it is one of {}", words.join(", "))),
    }])
}

pub(super) fn ids(
    value: &Value,
    name: &str,
    target: Target,
    owner: Option<&ArmId>,
    span: &Span,
) -> Outcome<Attr> {
    let Some(items) = value.items() else {
        return Err(vec![
            wrong(span, format!("{name} takes a list, this is {}", value.ty()))
                .help("put it into brackets: [ … ]"),
        ]);
    };
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        all.push(id(item, name, target, owner, span)?.to_string());
    }
    Ok(Attr::List(all))
}

/// A reference, the id of one, or (for a sub-resource of the same load balancer) its name.
pub(super) fn id(
    value: &Value,
    name: &str,
    target: Target,
    owner: Option<&ArmId>,
    span: &Span,
) -> Outcome<ArmId> {
    let expected = match target {
        Target::Item(kind) => kind.arm(),
        Target::PublicIp => "publicIPAddresses",
        Target::PublicIpPrefix => "publicIPPrefixes",
        Target::Foreign => "",
    };
    let found = match value.kind() {
        ValueKind::Object(_) => value.get("id").and_then(|v| v.as_str().map(ArmId::new)),
        ValueKind::String(text) if text.starts_with('/') => Some(ArmId::new(text)),
        ValueKind::String(text) => match (target, owner) {
            (Target::Item(kind), Some(owner)) if !text.is_empty() => {
                Some(owner.child(kind.arm(), text))
            }
            (_, _) => None,
        },
        _ => None,
    };
    let needs = match target {
        Target::Item(kind) => format!(
            "a {0} of this load balancer: {0}.NAME, or the name of one in Azure",
            kind.word()
        ),
        Target::PublicIp => "a public IP address: public_ip.NAME, or the id of one".to_owned(),
        Target::PublicIpPrefix => {
            "a public IP prefix: public_ip_prefix.NAME, or the id of one".to_owned()
        }
        Target::Foreign => "an id: \"/subscriptions/…\"".to_owned(),
    };
    let Some(found) = found else {
        // A block with for_each stands for all of its instances.
        let keys = value
            .entries()
            .filter(|all| all.values().any(|one| one.reference().is_some()));
        return Err(vec![match keys.and_then(|all| all.keys().next()) {
            Some(key) => wrong(span, "this is all instances of a block with for_each")
                .help(format!("choose one: [{key:?}]")),
            None => wrong(span, format!("{name} takes {needs}")),
        }]);
    };
    if !expected.is_empty() && !found.kind().eq_ignore_ascii_case(expected) {
        let what = value
            .reference()
            .map_or_else(|| format!("{found}"), str::to_owned);
        return Err(vec![
            wrong(span, format!("this is {what}")).help(format!("{name} takes {needs}")),
        ]);
    }
    Ok(found)
}
