//! What a check found, and the edits that it offers.

use super::scene::Balancer;
use crate::config::desired::DesiredItem;
use crate::model::{Code, Diagnostic, Span};

/// A diagnostic and the addresses that `accept { on = … }` may name it by.
pub(super) struct Found {
    pub addresses: Vec<String>,
    pub diagnostic: Diagnostic,
}

impl Found {
    pub(super) fn new(code: &Code, address: impl Into<String>) -> Self {
        Self {
            addresses: vec![address.into()],
            diagnostic: code.diagnostic(),
        }
    }

    /// On a sub-resource of a load balancer.
    pub(super) fn on(code: &Code, balancer: &Balancer<'_>, item: &DesiredItem) -> Self {
        Self::new(code, balancer.address(item))
    }

    /// Another place that it speaks of as much.
    #[must_use]
    pub(super) fn and_on(mut self, balancer: &Balancer<'_>, item: &DesiredItem) -> Self {
        self.addresses.push(balancer.address(item));
        self
    }

    #[must_use]
    pub(super) fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.at(span, text);
        self
    }

    #[must_use]
    pub(super) fn note(mut self, text: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.note(text);
        self
    }

    #[must_use]
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.help(text);
        self
    }

    /// Offers `attribute = value`: in the place of what is written, or on a line of its own. A block with `for_each`
    /// stands for many, so only words are offered there.
    #[must_use]
    pub(super) fn set(
        mut self,
        item: &DesiredItem,
        attribute: &str,
        value: &str,
        why: impl Into<String>,
    ) -> Self {
        let why = why.into();
        let keyed = item.address.ends_with(']');
        self.diagnostic = match (item.attribute_spans.get(attribute), end(item)) {
            (Some(span), _) if !keyed => self.diagnostic.patch(why, span.clone(), value),
            (None, Some(end)) if !keyed => {
                self.diagnostic
                    .patch(why, end, format!("\n    {attribute} = {value}"))
            }
            (_, _) => self
                .diagnostic
                .help(format!("{why}: {attribute} = {value}")),
        };
        self
    }
}

/// Just behind the last attribute that was written.
fn end(item: &DesiredItem) -> Option<Span> {
    let last = item.attribute_spans.values().max_by_key(|s| s.end)?;
    Some(Span::new(last.file.clone(), last.end..last.end))
}
