//! Addresses as the configuration writes them: `load_balancer.web`, `guest.vm["a"]`, `load_balancer.web.rule.green`.

use super::block::Written;
use super::codes;
use crate::lang::{Key, Step, StepKind, references};
use crate::model::{Addr, Diagnostic, ItemKind, Kind, Span};
use hcl::edit::expr::Expression;
use std::sync::Arc;

/// What an address points at: a resource, or an item of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointed {
    pub addr: Addr,
    pub item: Option<PointedItem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointedItem {
    pub kind: ItemKind,
    pub label: String,
    pub key: Option<String>,
}

impl PointedItem {
    /// As a load balancer's item has it: `rule.green`, `rule.green["k"]`.
    pub fn address(&self) -> String {
        match &self.key {
            Some(key) => format!("{}.{}[{key:?}]", self.kind.word(), self.label),
            None => format!("{}.{}", self.kind.word(), self.label),
        }
    }

    /// Azure's name, unless the block says otherwise.
    pub fn name(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.label)
    }
}

impl std::fmt::Display for Pointed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.item {
            Some(item) => write!(f, "{}.{}", self.addr, item.address()),
            None => write!(f, "{}", self.addr),
        }
    }
}

pub(super) fn pointed(written: &Written<'_>) -> Result<Pointed, Diagnostic> {
    of_expression(written.value(), written.file, &written.value_span())
}

/// `[ADDRESS, …]`
pub(super) fn pointed_list(written: &Written<'_>) -> Result<Vec<(Pointed, Span)>, Vec<Diagnostic>> {
    let Expression::Array(items) = written.value() else {
        return Err(vec![
            not_an_address(written.value_span()).help("put the addresses into brackets: [ … ]"),
        ]);
    };
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for item in items {
        let span = crate::lang::span_of(item, written.file);
        match of_expression(item, written.file, &span) {
            Ok(pointed) => all.push((pointed, span)),
            Err(found) => problems.push(found),
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(problems)
    }
}

fn not_an_address(span: Span) -> Diagnostic {
    Diagnostic::error(codes::ADDRESS.code, codes::ADDRESS.title).at(span, "this names no resource")
}

fn of_expression(
    expression: &Expression,
    file: &Arc<str>,
    span: &Span,
) -> Result<Pointed, Diagnostic> {
    let wrong = || {
        not_an_address(span.clone())
            .help("for example load_balancer.web, guest.vm[\"a\"] or load_balancer.web.rule.green")
    };
    if !matches!(expression, Expression::Traversal(_)) {
        return Err(wrong());
    }
    let found = references(expression, file);
    let [reference] = found.as_slice() else {
        return Err(wrong());
    };
    let kind = Kind::ALL
        .into_iter()
        .find(|k| k.word() == reference.root)
        .ok_or_else(wrong)?;
    let mut steps = reference.path.as_slice();
    let label = name(&mut steps).ok_or_else(wrong)?;
    let addr = Addr {
        kind,
        label: label.into(),
        key: key(&mut steps).map(Into::into),
    };
    if steps.is_empty() {
        return Ok(Pointed { addr, item: None });
    }
    let word = name(&mut steps).ok_or_else(wrong)?;
    let kind = super::evaluate::item_kind(&word)
        .filter(|_| addr.kind == Kind::LoadBalancer)
        .ok_or_else(wrong)?;
    // `rule["k"]` is short for `rule.k`.
    let label = match key(&mut steps) {
        Some(label) => label,
        None => name(&mut steps).ok_or_else(wrong)?,
    };
    let item = PointedItem {
        kind,
        label,
        key: key(&mut steps),
    };
    if !steps.is_empty() {
        return Err(wrong());
    }
    Ok(Pointed {
        addr,
        item: Some(item),
    })
}

fn name(steps: &mut &[Step]) -> Option<String> {
    let (first, rest) = steps.split_first()?;
    let StepKind::Attr(name) = &first.kind else {
        return None;
    };
    *steps = rest;
    Some(name.clone())
}

fn key(steps: &mut &[Step]) -> Option<String> {
    let (first, rest) = steps.split_first()?;
    let StepKind::Index(Key::Text(key)) = &first.kind else {
        return None;
    };
    *steps = rest;
    Some(key.clone())
}
