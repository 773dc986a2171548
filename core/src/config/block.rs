//! Blocks with their places: the little that decoding needs of the syntax tree.

use super::codes;
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use hcl::edit::structure::{Attribute, Block as HclBlock, BlockLabel, Body};
use std::sync::Arc;

/// A block of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub file: &'a Arc<str>,
    pub hcl: &'a HclBlock,
}

/// An attribute of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub file: &'a Arc<str>,
    pub hcl: &'a Attribute,
}

impl<'a> Written<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.hcl.key.as_str()
    }

    pub(super) fn name_span(&self) -> Span {
        Span::new(self.file.clone(), self.hcl.key.span().unwrap_or(0..0))
    }

    pub(super) fn value(&self) -> &'a Expression {
        &self.hcl.value
    }

    pub(super) fn value_span(&self) -> Span {
        Span::new(self.file.clone(), self.hcl.value.span().unwrap_or(0..0))
    }
}

pub(super) fn blocks<'a>(file: &'a Arc<str>, body: &'a Body) -> impl Iterator<Item = Block<'a>> {
    body.blocks().map(move |hcl| Block { file, hcl })
}

pub(super) fn attributes<'a>(
    file: &'a Arc<str>,
    body: &'a Body,
) -> impl Iterator<Item = Written<'a>> {
    body.attributes().map(move |hcl| Written { file, hcl })
}

impl<'a> Block<'a> {
    pub(super) fn kind(&self) -> &'a str {
        self.hcl.ident.as_str()
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        blocks(self.file, &self.hcl.body)
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = Written<'a>> + use<'a> {
        attributes(self.file, &self.hcl.body)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<Written<'a>> {
        self.attributes().find(|a| a.name() == name)
    }

    pub(super) fn labels(&self) -> Vec<&'a str> {
        self.hcl.labels.iter().map(label_text).collect()
    }

    /// The only label; decoding starts only after `expect_labels`.
    pub(super) fn label(&self) -> &'a str {
        self.hcl.labels.first().map(label_text).unwrap_or_default()
    }

    pub(super) fn kind_span(&self) -> Span {
        Span::new(self.file.clone(), self.hcl.ident.span().unwrap_or(0..0))
    }

    /// `rule "purple"`
    pub(super) fn header(&self) -> Span {
        let start = self.hcl.ident.span().unwrap_or(0..0);
        let end = self
            .hcl
            .labels
            .last()
            .and_then(hcl::edit::Span::span)
            .map_or(start.end, |s| s.end);
        Span::new(self.file.clone(), start.start..end)
    }

    /// Just before the closing brace, where a line can be added.
    pub(super) fn last_line(&self) -> Option<Span> {
        let end = self.hcl.span()?.end;
        let last = self.attributes().last()?.value_span().end;
        (last < end).then(|| Span::new(self.file.clone(), last..last))
    }

    pub(super) fn expect_labels(&self, names: &[&str], problems: &mut Vec<Diagnostic>) -> bool {
        if self.hcl.labels.len() == names.len() {
            return true;
        }
        let wanted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let wanted = if wanted.is_empty() {
            "no labels".to_owned()
        } else {
            wanted.join(" ")
        };
        problems.push(
            Diagnostic::error(codes::WRONG_LABELS.code, codes::WRONG_LABELS.title)
                .at(
                    self.header(),
                    format!("{} is written with {wanted}", self.kind()),
                )
                .help(format!("write `{} {wanted} {{`", self.kind()).replace(" no labels", "")),
        );
        false
    }

    /// Reports attributes that the block does not have.
    pub(super) fn expect_attributes(&self, known: &[&str], problems: &mut Vec<Diagnostic>) {
        for attribute in self.attributes().filter(|a| !known.contains(&a.name())) {
            problems.push(unknown_attribute(&attribute, self.kind(), known));
        }
    }

    /// Reports blocks that the block does not have.
    pub(super) fn expect_blocks(&self, known: &[&str], problems: &mut Vec<Diagnostic>) {
        for block in self.blocks().filter(|b| !known.contains(&b.kind())) {
            problems.push(unknown_block(&block, known, Some(self.kind())));
        }
    }

    pub(super) fn missing(&self, attribute: &str, example: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(
            codes::MISSING_ATTRIBUTE.code,
            codes::MISSING_ATTRIBUTE.title,
        )
        .at(
            self.header(),
            format!("this {} has no {attribute}", self.kind()),
        );
        match self.last_line() {
            Some(span) => diagnostic.patch(
                format!("add {attribute}"),
                span,
                format!("\n{}{attribute} = {example}", " ".repeat(self.indent())),
            ),
            None => diagnostic.help(format!("add `{attribute} = {example}`")),
        }
    }

    /// How deep its attributes are indented: two spaces a level, as `fmt` writes them.
    fn indent(&self) -> usize {
        match self.kind() {
            "plimsoll" | "provider" | "public_ip" | "load_balancer" | "guest" | "variable"
            | "output" => 2,
            _ => 4,
        }
    }
}

fn label_text(label: &BlockLabel) -> &str {
    label.as_str()
}

pub(super) fn unknown_block(block: &Block<'_>, known: &[&str], within: Option<&str>) -> Diagnostic {
    let place = within.map_or_else(
        || "a configuration".to_owned(),
        |kind| format!("a {kind} block"),
    );
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    let diagnostic = Diagnostic::error(codes::UNKNOWN_BLOCK.code, codes::UNKNOWN_BLOCK.title).at(
        block.kind_span(),
        format!("{place} has no {:?} block", block.kind()),
    );
    match did_you_mean(block.kind(), known.iter().copied()) {
        Some(near) => diagnostic.patch(format!("did you mean {near:?}?"), block.kind_span(), near),
        None if sorted.is_empty() => diagnostic.help("it takes attributes only".to_owned()),
        None => diagnostic.help(format!("the blocks here are {}", sorted.join(", "))),
    }
}

pub(super) fn unknown_attribute(attribute: &Written<'_>, kind: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        codes::UNKNOWN_ATTRIBUTE.code,
        codes::UNKNOWN_ATTRIBUTE.title,
    )
    .at(
        attribute.name_span(),
        format!("a {kind} block has no attribute {:?}", attribute.name()),
    );
    match did_you_mean(attribute.name(), known.iter().copied()) {
        Some(near) => diagnostic.patch(
            format!("did you mean {near:?}?"),
            attribute.name_span(),
            near,
        ),
        None => diagnostic.help(format!("its attributes are {}", known.join(", "))),
    }
}
