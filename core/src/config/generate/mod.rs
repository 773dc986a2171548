//! From what exists in Azure to a configuration that says the same: the text of `import`.
//!
//! Whatever the language cannot say is left out, and a comment says so: what a configuration does not mention stays in
//! Azure as it is.

mod guests;
mod inside;

pub use inside::Inside;

use super::GuestMode;
use crate::lang;
use crate::model::item::default_of;
use crate::model::schema::{
    Attribute, Fallback, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX, Shape, Target,
};
use crate::model::{
    ArmId, Attr, Attributes, Item, ItemKind, LoadBalancer, NetworkInterface, PublicIp,
    PublicIpPrefix,
};
use guests::Machine;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What was read: a load balancer and what it leads to.
#[derive(Clone, Debug)]
pub struct Existing {
    pub load_balancer: LoadBalancer,
    pub public_ip_prefixes: Vec<PublicIpPrefix>,
    pub public_ips: Vec<PublicIp>,
    pub network_interfaces: Vec<NetworkInterface>,
    /// Virtual machines that run Windows.
    pub windows: BTreeSet<ArmId>,
    /// What the guests say. It takes the text without it to ask them.
    pub inside: Inside,
}

/// Load balancers that no configuration can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotGenerate {
    #[error(
        "plimsoll does not manage gateway load balancers; leave this one to what manages it now"
    )]
    Gateway,
    #[error(
        "plimsoll does not manage cross-region load balancers; import the regional ones behind it"
    )]
    Global,
}

/// The configuration, in the canonical layout.
pub fn generate(existing: &Existing) -> Result<String, CannotGenerate> {
    let is = |name: &str, word: &str| {
        let value = existing.load_balancer.attributes.get(name);
        let text = value.and_then(Attr::as_text);
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    if is("sku", "Gateway") {
        return Err(CannotGenerate::Gateway);
    }
    if is("sku_tier", "Global") {
        return Err(CannotGenerate::Global);
    }
    let text = Writer::new(existing).text();
    // It is well-formed by construction; should it not be, the person sees the text and the parser's complaint.
    Ok(lang::format(&text).unwrap_or(text))
}

struct Writer<'a> {
    existing: &'a Existing,
    lb: &'a LoadBalancer,
    label: String,
    /// Id → label of the prefixes that are declared.
    public_ip_prefixes: BTreeMap<ArmId, String>,
    /// Id → label of the public IP addresses that are declared.
    public_ips: BTreeMap<ArmId, String>,
    /// Kind and folded name → label of the items that are declared.
    items: BTreeMap<(ItemKind, String), String>,
    /// What was left out, in words.
    left_out: Vec<String>,
    machines: Vec<Machine>,
}

impl<'a> Writer<'a> {
    fn new(existing: &'a Existing) -> Self {
        let lb = &existing.load_balancer;
        let mut writer = Self {
            existing,
            lb,
            label: label(lb.id.name(), &mut BTreeSet::new()),
            public_ip_prefixes: BTreeMap::new(),
            public_ips: BTreeMap::new(),
            items: BTreeMap::new(),
            left_out: Vec::new(),
            machines: Vec::new(),
        };
        let prefixes = existing.public_ip_prefixes.iter();
        let prefixes: Vec<_> = prefixes.map(|p| (&p.id, &p.attributes)).collect();
        writer.public_ip_prefixes = writer.chosen("public IP prefix", PUBLIC_IP_PREFIX, &prefixes);
        let public_ips = existing.public_ips.iter();
        let public_ips: Vec<_> = public_ips.map(|ip| (&ip.id, &ip.attributes)).collect();
        writer.public_ips = writer.chosen("public IP address", PUBLIC_IP, &public_ips);
        writer.choose_items();
        writer.machines = guests::machines(existing);
        writer
    }

    /// Those that can be declared, each with a label.
    fn chosen(
        &mut self,
        words: &str,
        table: &[Attribute],
        all: &[(&ArmId, &Attributes)],
    ) -> BTreeMap<ArmId, String> {
        let mut used = BTreeSet::new();
        let mut chosen = BTreeMap::new();
        let here = self.lb.id.subscription().unwrap_or_default();
        for (id, attributes) in all {
            let there = id.subscription().unwrap_or_default();
            if !there.eq_ignore_ascii_case(here) {
                let name = id.name();
                let left = format!("{words} {name} is in another subscription");
                self.left_out.push(left);
            } else if let Some(why) = unsayable(table, attributes) {
                self.left_out.push(format!("{words} {}: {why}", id.name()));
            } else {
                chosen.insert((*id).clone(), label(id.name(), &mut used));
            }
        }
        chosen
    }

    fn choose_items(&mut self) {
        let pools = self.lb.rest.get("properties");
        let pools = pools.and_then(|p| p.get("inboundNatPools")?.as_array());
        let pools: Vec<String> = pools
            .into_iter()
            .flatten()
            .filter_map(|pool| pool.get("name")?.as_str())
            .map(str::to_ascii_lowercase)
            .collect();
        for pool in &pools {
            self.left_out
                .push(format!("inbound NAT pool {pool}, and the rules it makes"));
        }
        for kind in ItemKind::ALL {
            let mut used = BTreeSet::new();
            for item in self.lb.of_kind(kind) {
                let folded = item.name.to_ascii_lowercase();
                let of_pool = kind == ItemKind::InboundNatRule
                    && pools.iter().any(|pool| {
                        folded
                            .strip_prefix(pool.as_str())
                            .is_some_and(|rest| rest.starts_with('.'))
                    });
                if of_pool {
                    continue;
                }
                let several = kind == ItemKind::Rule && item.list("backend_pools").len() > 1;
                let why = several.then(|| "it has several backend pools".to_owned());
                match why.or_else(|| unsayable(kind.attributes(), &item.attributes)) {
                    Some(why) => {
                        self.left_out
                            .push(format!("{} {}: {why}", kind.word(), item.name));
                    }
                    None => {
                        let label = label(&item.name, &mut used);
                        self.items.insert((kind, folded), label);
                    }
                }
            }
        }
    }

    /// A pool as a guest names it; `None` where it is not declared.
    fn pool(&self, id: &ArmId) -> Option<String> {
        let key = (ItemKind::BackendPool, id.name().to_ascii_lowercase());
        let label = self.items.get(&key)?;
        Some(format!("load_balancer.{}.backend_pool.{label}", self.label))
    }

    fn text(&self) -> String {
        let subscription = self.lb.id.subscription().unwrap_or_default();
        let mut out = String::new();
        for left in &self.left_out {
            line(
                &mut out,
                &format!("# Not said here, so it stays as it is: {left}"),
            );
        }
        line(
            &mut out,
            &format!(
                "plimsoll {{\ndeployment = {}\n}}\n\nprovider \"azure\" {{\nsubscription_id = {}\n}}\n",
                quote(&deployment(self.lb.id.name())),
                quote(subscription)
            ),
        );
        for prefix in &self.existing.public_ip_prefixes {
            if let Some(label) = self.public_ip_prefixes.get(&prefix.id) {
                let written = (&prefix.id, PUBLIC_IP_PREFIX, &prefix.attributes);
                self.whole(&mut out, "public_ip_prefix", label, written);
            }
        }
        for ip in &self.existing.public_ips {
            if let Some(label) = self.public_ips.get(&ip.id) {
                let written = (&ip.id, PUBLIC_IP, &ip.attributes);
                self.whole(&mut out, "public_ip", label, written);
            }
        }
        line(
            &mut out,
            &format!("load_balancer {} {{", quote(&self.label)),
        );
        head(&mut out, &self.lb.id, &self.label);
        self.attributes(&mut out, LOAD_BALANCER, &self.lb.attributes);
        for kind in ItemKind::ALL {
            for item in self.lb.of_kind(kind) {
                let key = (kind, item.name.to_ascii_lowercase());
                if let Some(label) = self.items.get(&key) {
                    self.item(&mut out, kind, item, label);
                }
            }
        }
        line(&mut out, "}\n");
        import(
            &mut out,
            &format!("load_balancer.{}", self.label),
            &self.lb.id,
        );
        guests::write(self, &mut out);
        out
    }

    /// A block without blocks in it, and its import.
    fn whole(
        &self,
        out: &mut String,
        word: &str,
        label: &str,
        (id, table, attributes): (&ArmId, &[Attribute], &Attributes),
    ) {
        line(out, &format!("{word} {} {{", quote(label)));
        head(out, id, label);
        self.attributes(out, table, attributes);
        line(out, "}\n");
        import(out, &format!("{word}.{label}"), id);
    }

    fn item(&self, out: &mut String, kind: ItemKind, item: &Item, label: &str) {
        line(out, &format!("\n{} {} {{", kind.word(), quote(label)));
        if item.name != label {
            line(out, &format!("name = {}", quote(&item.name)));
        }
        self.attributes(out, kind.attributes(), &item.attributes);
        if kind == ItemKind::Frontend
            && let Some(said) = inside::said(self.existing, &self.machines, item)
        {
            if let Some(why) = said.why {
                line(out, &format!("# {why}"));
            }
            match said.mode {
                GuestMode::Loopback => {}
                GuestMode::Cluster => line(out, "guest_mode = \"cluster\""),
                GuestMode::None => line(out, "guest_mode = \"none\""),
            }
        }
        if let (ItemKind::BackendPool, Some(Attr::Map(members))) =
            (kind, item.attributes.get("addresses"))
        {
            for (name, member) in members {
                let (address, network) = member.split_once(' ').unwrap_or((member, ""));
                line(
                    out,
                    &format!(
                        "address {} {{\nip_address = {}",
                        quote(name),
                        quote(address)
                    ),
                );
                if !network.is_empty() {
                    line(out, &format!("virtual_network = {}", quote(network)));
                }
                line(out, "}");
            }
        }
        line(out, "}");
    }

    fn attributes(&self, out: &mut String, table: &[Attribute], attributes: &Attributes) {
        for attribute in table {
            let Some(value) = attributes.get(attribute.name) else {
                continue;
            };
            let by_default =
                default_of(attribute).is_some_and(|default| default.same(value, attribute.shape));
            if !by_default
                && attribute.shape != Shape::Addresses
                && let Some(text) = self.value(attribute, value)
            {
                line(out, &format!("{} = {text}", attribute.name));
            }
        }
    }

    fn value(&self, attribute: &Attribute, value: &Attr) -> Option<String> {
        Some(match (attribute.shape, value) {
            (Shape::Choice(words), Attr::Text(text)) => {
                quote(words.iter().find(|word| word.eq_ignore_ascii_case(text))?)
            }
            (Shape::Id(target), Attr::Text(id)) => self.reference(target, id),
            (Shape::Ids(target), Attr::List(ids)) => {
                let ids: Vec<String> = ids.iter().map(|id| self.reference(target, id)).collect();
                format!("[{}]", ids.join(", "))
            }
            (_, Attr::List(texts)) => {
                let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            (_, Attr::Map(map)) => {
                let pairs: Vec<String> = map
                    .iter()
                    .map(|(name, value)| format!("{} = {}", quote(name), quote(value)))
                    .collect();
                match pairs.is_empty() {
                    true => return None,
                    false => format!("{{\n{}\n}}", pairs.join("\n")),
                }
            }
            (_, Attr::Bool(flag)) => flag.to_string(),
            (_, Attr::Int(number)) => number.to_string(),
            (_, Attr::Text(text)) => quote(text),
        })
    }

    /// By its address where it is declared, else by name or id.
    fn reference(&self, target: Target, id: &str) -> String {
        let arm = ArmId::new(id);
        match target {
            Target::PublicIp => match self.public_ips.get(&arm) {
                Some(label) => format!("public_ip.{label}"),
                None => quote(id),
            },
            Target::PublicIpPrefix => match self.public_ip_prefixes.get(&arm) {
                Some(label) => format!("public_ip_prefix.{label}"),
                None => quote(id),
            },
            Target::Item(kind) if arm.parent().as_ref() == Some(&self.lb.id) => {
                let key = (kind, arm.name().to_ascii_lowercase());
                match self.items.get(&key) {
                    Some(label) => format!("{}.{label}", kind.word()),
                    None => quote(arm.name()),
                }
            }
            Target::Item(_) | Target::Foreign => quote(id),
        }
    }
}

fn head(out: &mut String, id: &ArmId, label: &str) {
    if id.name() != label {
        line(out, &format!("name = {}", quote(id.name())));
    }
    let group = id.resource_group().unwrap_or_default();
    line(out, &format!("resource_group = {}", quote(group)));
}

fn import(out: &mut String, to: &str, id: &ArmId) {
    line(
        out,
        &format!("import {{\nto = {to}\nid = {}\n}}\n", quote(id.as_str())),
    );
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes everything");
}

/// Why the language cannot say it, if it cannot.
fn unsayable(table: &[Attribute], attributes: &Attributes) -> Option<String> {
    table.iter().find_map(|attribute| {
        let name = attribute.name;
        match (attributes.get(name), attribute.shape) {
            (None, _) if attribute.default == Fallback::Required => {
                Some(format!("it has no {name}"))
            }
            (Some(Attr::Int(number)), Shape::Int(low, high)) if !(low..=high).contains(number) => {
                Some(format!("its {name} is {number}"))
            }
            (Some(Attr::Text(text)), Shape::Choice(words))
                if !words.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
            {
                Some(format!("its {name} is {text}"))
            }
            _ => None,
        }
    })
}

/// Azure's name as a label that an expression can name.
fn label(name: &str, used: &mut BTreeSet<String>) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut label: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    if !label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        label.insert(0, '_');
    }
    let mut unique = label.clone();
    let mut count = 1;
    while !used.insert(unique.to_ascii_lowercase()) {
        count += 1;
        unique = format!("{label}_{count}");
    }
    unique
}

/// 1 to 32 small letters, digits and hyphens.
fn deployment(name: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let name = name.to_ascii_lowercase();
    let name: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(32)
        .collect();
    match name.trim_matches('-') {
        "" => "imported".to_owned(),
        name => name.to_owned(),
    }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // A template would begin here.
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes everything");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels_and_texts_stay_texts() {
        let mut used = BTreeSet::new();
        assert_eq!(label("1.web", &mut used), "_1_web");
        assert_eq!(label("1_web", &mut used), "_1_web_2");
        assert_eq!(deployment("-Web_LB-"), "web-lb");
        assert_eq!(quote("a\"${b}\\\n%{$"), r#""a\"$${b}\\\n%%{$""#);
    }
}
