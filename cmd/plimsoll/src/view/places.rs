//! Where a thing stands in the configuration, looked up when a view wants to say so.

use super::Told;
use super::diagnostic::{path, position};
use crate::host::{Host, Place};
use plimsoll_core::config::Desired;
use plimsoll_core::model::{Addr, ItemKind, Kind, Span};

/// A configuration's places; a saved plan that is only shown has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) known: Option<(&'a Desired, &'a Told)>,
    pub(crate) host: &'a Host,
}

impl<'a> Places<'a> {
    /// The block of a resource; of a load balancer, the part whose kind and name the text begins with.
    pub(crate) fn of(&self, addr: &Addr, text: &str) -> Option<Place> {
        let (desired, told) = self.known?;
        let span = match addr.kind {
            Kind::PublicIpPrefix => &desired.public_ip_prefixes.get(addr)?.span,
            Kind::PublicIp => &desired.public_ips.get(addr)?.span,
            Kind::Guest => &desired.guests.get(addr)?.span,
            Kind::LoadBalancer => match desired.load_balancers.get(addr) {
                Some(balancer) => ItemKind::ALL
                    .into_iter()
                    .find_map(|kind| {
                        let name = named(kind, text)?;
                        Some(&balancer.item(kind, &name)?.span)
                    })
                    .unwrap_or(&balancer.span),
                None => &desired.data_load_balancers.get(&*addr.label)?.span,
            },
        };
        place(told, span)
    }

    pub(crate) fn link(&self, place: &Place) -> Option<String> {
        self.host.link(place)
    }
}

/// The name in `rule "green": …`.
fn named(kind: ItemKind, text: &str) -> Option<String> {
    let rest = text.strip_prefix(kind.word())?.strip_prefix(' ')?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    values.next()?.ok()
}

pub(crate) fn place(told: &Told, span: &Span) -> Option<Place> {
    let text = told.texts.get(&span.file)?;
    let (line, column) = position(text, span.start);
    Some(Place {
        file: path(told, &span.file),
        line,
        column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_is_read_from_the_text() {
        assert_eq!(
            named(ItemKind::Rule, "rule \"a \\\"b\": x is 1").as_deref(),
            Some("a \"b")
        );
        assert_eq!(named(ItemKind::Rule, "rules"), None);
        assert_eq!(named(ItemKind::Probe, "rule \"a\""), None);
    }
}
