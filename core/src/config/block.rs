//! Blocks with their places: the little that decoding needs of the syntax tree.

use super::codes;
use super::evaluate::Each;
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use hcl::edit::structure::{Attribute, Block as HclBlock, BlockLabel, Body};
use std::rc::Rc;
use std::sync::Arc;

/// A block of a file.
#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    pub file: &'a Arc<str>,
    /// For a block that `dynamic` generated: its `content`.
    pub hcl: &'a HclBlock,
    generated: Option<Rc<Generated>>,
}

/// What a `dynamic` block says of one block that it generates.
#[derive(Debug)]
pub(super) struct Generated {
    pub kind: String,
    pub labels: Vec<String>,
    /// The iterators that its content sees, outermost first.
    pub names: Vec<(String, Each)>,
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
    body.blocks().map(move |hcl| Block::written(file, hcl))
}

pub(super) fn attributes<'a>(
    file: &'a Arc<str>,
    body: &'a Body,
) -> impl Iterator<Item = Written<'a>> {
    body.attributes().map(move |hcl| Written { file, hcl })
}

impl<'a> Block<'a> {
    pub(super) fn written(file: &'a Arc<str>, hcl: &'a HclBlock) -> Self {
        Self {
            file,
            hcl,
            generated: None,
        }
    }

    pub(super) fn generated(file: &'a Arc<str>, content: &'a HclBlock, by: Rc<Generated>) -> Self {
        Self {
            file,
            hcl: content,
            generated: Some(by),
        }
    }

    /// The iterators of the `dynamic` blocks around it.
    pub(super) fn names(&self) -> &[(String, Each)] {
        self.generated.as_ref().map_or(&[], |g| g.names.as_slice())
    }

    /// A block inside of one that was generated sees its iterators.
    pub(super) fn within(self, parent: &Self) -> Self {
        match &parent.generated {
            Some(generated) => Self {
                generated: Some(Rc::new(Generated {
                    kind: self.kind().to_owned(),
                    labels: self.labels().into_iter().map(str::to_owned).collect(),
                    names: generated.names.clone(),
                })),
                ..self
            },
            None => self,
        }
    }

    pub(super) fn is_generated(&self) -> bool {
        self.generated.is_some()
    }

    /// Tells blocks apart that look alike.
    pub(super) fn place(&self) -> usize {
        std::ptr::from_ref(self.hcl).addr()
    }

    pub(super) fn kind(&self) -> &str {
        match &self.generated {
            Some(generated) => &generated.kind,
            None => self.hcl.ident.as_str(),
        }
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

    pub(super) fn labels(&self) -> Vec<&str> {
        match &self.generated {
            Some(generated) => generated.labels.iter().map(String::as_str).collect(),
            None => self.written_labels(),
        }
    }

    pub(super) fn written_labels(&self) -> Vec<&'a str> {
        self.hcl.labels.iter().map(label_text).collect()
    }

    /// The first label, often the only one; decoding starts only after `expect_labels`.
    pub(super) fn label(&self) -> &str {
        match &self.generated {
            Some(generated) => generated.labels.first().map_or("", String::as_str),
            None => self.written_label(),
        }
    }

    pub(super) fn written_label(&self) -> &'a str {
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
        if self.labels().len() == names.len() {
            return true;
        }
        let wanted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let wanted = if wanted.is_empty() {
            "no labels".to_owned()
        } else {
            wanted.join(" ")
        };
        if self.is_generated() {
            problems.push(
                Diagnostic::error(codes::DYNAMIC.code, codes::DYNAMIC.title)
                    .at(
                        self.header(),
                        format!("{} is written with {wanted}", self.kind()),
                    )
                    .help("give them in the dynamic block: labels = [ITERATOR.key]"),
            );
            return false;
        }
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
            "plimsoll" | "provider" | "public_ip_prefix" | "public_ip" | "load_balancer"
            | "guest" | "variable" | "output" | "data" | "moved" | "removed" | "import" => 2,
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
