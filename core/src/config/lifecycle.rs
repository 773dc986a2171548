//! `lifecycle` and `depends_on`: what protects a resource, and what of it is left as it is found.

use super::block::{Block, unknown_attribute};
use super::codes;
use super::desired::{Ignore, Lifecycle};
use super::pointed::pointed_list;
use crate::lang::constant;
use crate::model::diag::did_you_mean;
use crate::model::{Addr, Diagnostic};
use hcl::edit::expr::Expression;

/// `known` are the attributes that may be ignored.
pub(super) fn lifecycle(
    block: &Block<'_>,
    known: &[&str],
    problems: &mut Vec<Diagnostic>,
) -> Lifecycle {
    let mut found = block.blocks().filter(|b| b.kind() == "lifecycle");
    let Some(lifecycle) = found.next() else {
        return Lifecycle::default();
    };
    if let Some(second) = found.next() {
        problems.push(super::module::twice(&second, &lifecycle));
    }
    lifecycle.expect_labels(&[], problems);
    const KNOWN: &[&str] = &["prevent_destroy", "ignore_changes"];
    for attribute in lifecycle
        .attributes()
        .filter(|a| !KNOWN.contains(&a.name()))
    {
        problems.push(unknown_attribute(&attribute, "lifecycle", KNOWN));
    }
    lifecycle.expect_blocks(&[], problems);
    Lifecycle {
        prevent_destroy: flag(&lifecycle, "prevent_destroy", problems),
        ignore_changes: ignored(&lifecycle, known, problems),
    }
}

/// True or false, written out.
pub(super) fn flag(block: &Block<'_>, name: &str, problems: &mut Vec<Diagnostic>) -> bool {
    let Some(written) = block.attribute(name) else {
        return false;
    };
    match constant(written.value(), written.file).map(|v| v.as_bool()) {
        Ok(Some(value)) => value,
        Ok(None) | Err(_) => {
            problems.push(
                Diagnostic::error(codes::LIFECYCLE.code, codes::LIFECYCLE.title)
                    .at(
                        written.value_span(),
                        format!("{name} is true or false, written out"),
                    )
                    .note("it is read before anything is evaluated, so it cannot refer to anything")
                    .help("write true or false"),
            );
            false
        }
    }
}

fn ignored(block: &Block<'_>, known: &[&str], problems: &mut Vec<Diagnostic>) -> Ignore {
    let Some(written) = block.attribute("ignore_changes") else {
        return Ignore::default();
    };
    let wrong = |label: &str| {
        Diagnostic::error(codes::LIFECYCLE.code, codes::LIFECYCLE.title)
            .at(written.value_span(), label)
            .help("for example ignore_changes = [tags], or ignore_changes = all")
    };
    let items = match written.value() {
        Expression::Variable(word) if word.as_str() == "all" => return Ignore::All,
        Expression::Array(items) => items,
        _ => {
            problems.push(wrong("ignore_changes takes a list of attributes, or all"));
            return Ignore::default();
        }
    };
    let mut names = std::collections::BTreeSet::new();
    for item in items {
        let Expression::Variable(name) = item else {
            problems.push(wrong("an attribute is named without quotes"));
            continue;
        };
        if known.contains(&name.as_str()) {
            names.insert(name.as_str().to_owned());
            continue;
        }
        let span = crate::lang::span_of(item, written.file);
        let problem = Diagnostic::error(
            codes::UNKNOWN_ATTRIBUTE.code,
            codes::UNKNOWN_ATTRIBUTE.title,
        )
        .at(
            span.clone(),
            format!("{} is no attribute of this block", name.as_str()),
        );
        problems.push(match did_you_mean(name.as_str(), known.iter().copied()) {
            Some(near) => problem.patch(format!("did you mean {near:?}?"), span, near),
            None => problem.help(format!("its attributes are {}", known.join(", "))),
        });
    }
    Ignore::These(names)
}

/// The order of work is derived from what refers to what; `depends_on` is checked and recorded.
pub(super) fn depends_on(block: &Block<'_>, problems: &mut Vec<Diagnostic>) -> Vec<Dependency> {
    let Some(written) = block.attribute("depends_on") else {
        return Vec::new();
    };
    match pointed_list(&written) {
        Ok(all) => all
            .into_iter()
            .map(|(pointed, span)| Dependency {
                on: pointed.addr,
                span,
            })
            .collect(),
        Err(found) => {
            problems.extend(found);
            Vec::new()
        }
    }
}

/// One address of a `depends_on`.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub on: Addr,
    pub span: crate::model::Span,
}
