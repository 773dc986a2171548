//! `data` blocks: what someone else manages. It is read, and never written.

use super::block::Block;
use super::codes;
use super::desired::{DataLoadBalancer, DesiredLoadBalancer, GuestMode, Items, Lifecycle};
use super::evaluate::{Evaluator, Outcome, Within, item_kind, object, text, undeclared};
use super::guest_settings;
use super::named::foreign_item;
use super::resources::{self, own};
use crate::lang::{Resolved, Step, Type, Value, evaluate};
use crate::model::guest::Os;
use crate::model::member::{MemberInterface, PoolMember};
use crate::model::{ArmId, Attributes, Diagnostic, ItemKind, Span};
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) const PUBLIC_IP: &str = "publicIPAddresses";
pub(super) const PUBLIC_IP_PREFIX: &str = "publicIPPrefixes";

impl<'a> Evaluator<'a> {
    /// `data.load_balancer.x`, `data.load_balancer.x.backend_pool.y`, its `.members`, `data.public_ip.x`,
    /// `data.public_ip_prefix.x`.
    pub(super) fn data(&self, path: &[Step], span: &Span) -> Result<Resolved, Vec<Diagnostic>> {
        let word = path.first().and_then(Step::name);
        let (table, kind) = match word {
            Some("load_balancer") => (&self.module.data_load_balancers, "loadBalancers"),
            Some("public_ip") => (&self.module.data_public_ips, PUBLIC_IP),
            Some("public_ip_prefix") => (&self.module.data_public_ip_prefixes, PUBLIC_IP_PREFIX),
            Some(_) | None => {
                let known = ["load_balancer", "public_ip", "public_ip_prefix"];
                let word = word.unwrap_or_default();
                return Err(vec![undeclared(
                    span,
                    &format!("data {word:?}"),
                    word,
                    known.iter(),
                )]);
            }
        };
        let label = path.get(1).and_then(Step::name).unwrap_or_default();
        let Some(block) = table.get(label) else {
            let what = format!("data {:?} {label:?}", word.unwrap_or_default());
            return Err(vec![undeclared(span, &what, label, table.keys())]);
        };
        let value = self.data_identity(block, kind, span)?;
        if let (Some(item), Some(name)) = (
            path.get(2).and_then(Step::name).and_then(item_kind),
            path.get(3).and_then(Step::name),
        ) && kind == "loadBalancers"
        {
            let id = value
                .get("id")
                .and_then(|v| v.as_str().map(ArmId::new))
                .unwrap_or_else(|| ArmId::new(""));
            if item == ItemKind::BackendPool && path.get(4).and_then(Step::name) == Some("members")
            {
                return Ok(Resolved {
                    value: self.members(&id.child(item.arm(), name)),
                    consumed: 5,
                });
            }
            return Ok(Resolved {
                value: foreign_item(&id, item, name),
                consumed: 4,
            });
        }
        Ok(Resolved { value, consumed: 2 })
    }

    /// Who is in a pool, by name; unknown until it has been read.
    fn members(&self, pool: &ArmId) -> Value {
        let Some(members) = self.inputs.members.get(pool) else {
            self.undiscovered.borrow_mut().pools.insert(pool.clone());
            return Value::unknown(Type::map(Type::Any));
        };
        let address = format!("{}.members", pool.name());
        let entries = members
            .iter()
            .map(|(key, member)| (Value::key(key), member_value(member, &address)))
            .collect();
        Value::object(entries)
    }

    fn data_identity(&self, block: &Block<'_>, kind: &str, span: &Span) -> Outcome {
        let label = block.written_labels().pop().unwrap_or_default().to_owned();
        let address = format!("data.{}.{label}", block.label());
        self.once(address.clone(), span, || {
            let place = self.place();
            let read = |name: &str| match block.attribute(name) {
                Some(written) => text(
                    &evaluate(written.value(), written.file, &place)?,
                    &written.value_span(),
                ),
                None => Err(vec![block.missing(name, "\"…\"")]),
            };
            let name = match block.attribute("name") {
                Some(_) => read("name")?,
                None => label,
            };
            let group = read("resource_group")?;
            let id = ArmId::network(&self.subscription(&block.header())?, &group, kind, &name);
            Ok(object(
                [
                    ("id", id.as_str()),
                    ("name", &name),
                    ("resource_group", &group),
                ],
                address,
            ))
        })
    }

    fn data_id(&self, block: &Block<'_>, kind: &str) -> Result<ArmId, Vec<Diagnostic>> {
        let value = self.data_identity(block, kind, &block.header())?;
        let id = value.get("id").and_then(|v| v.as_str().map(ArmId::new));
        Ok(id.unwrap_or_else(|| ArmId::new("")))
    }
}

/// What a configuration sees of a member. What a member does not have is null: an address has no machine.
fn member_value(member: &PoolMember, address: &str) -> Value {
    let text =
        |text: Option<&str>| text.map_or_else(|| Value::null_of(Type::String), Value::string);
    let ip = |address: Option<IpAddr>| text(address.map(|a| a.to_string()).as_deref());
    let object = |attributes: Vec<(&str, Value)>| -> Value {
        let entries = attributes.into_iter();
        Value::object(entries.map(|(name, v)| (Value::key(name), v)).collect())
    };
    let interface = |interface: &MemberInterface| {
        object(vec![
            ("id", Value::string(interface.id.as_str())),
            (
                "ip_configuration",
                Value::string(&interface.ip_configuration),
            ),
            ("private_ip_address", ip(interface.private_address)),
        ])
    };
    let first = member.interfaces.first();
    let interfaces = member.interfaces.iter().map(interface).collect();
    object(vec![
        ("name", Value::string(&member.name)),
        (
            "virtual_machine",
            text(member.machine.as_ref().map(ArmId::as_str)),
        ),
        ("instance_id", text(member.instance_id())),
        ("os", text(member.os.map(Os::word))),
        ("network_interface", text(first.map(|i| i.id.as_str()))),
        (
            "ip_configuration",
            text(first.map(|i| i.ip_configuration.as_str())),
        ),
        ("private_ip_address", ip(member.private_address)),
        ("network_interfaces", Value::tuple(interfaces)),
    ])
    .with_reference(address.into())
}

/// Something that is named and has nothing else to say: `kind` as ARM spells it.
pub(super) fn named(
    evaluator: &Evaluator<'_>,
    block: &Block<'_>,
    kind: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<ArmId> {
    block.expect_attributes(&["name", "resource_group"], problems);
    block.expect_blocks(&[], problems);
    evaluator
        .data_id(block, kind)
        .map_err(|found| problems.extend(found))
        .ok()
}

pub(super) fn load_balancer<'a>(
    evaluator: &'a Evaluator<'a>,
    block: &'a Block<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Option<DataLoadBalancer> {
    block.expect_attributes(
        &["name", "resource_group", "guest_modes", "guest_ports"],
        problems,
    );
    block.expect_blocks(&["expect"], problems);
    let id = match evaluator.data_id(block, "loadBalancers") {
        Ok(id) => id,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let place = evaluator.place();
    let mut guest_modes = BTreeMap::new();
    if let Some((value, written)) = own(block, "guest_modes", &place, problems) {
        let span = written.value_span();
        match value.entries() {
            Some(entries) => {
                for (frontend, mode) in entries {
                    match text(mode, &span).and_then(|word| guest_settings::mode(&word, &span)) {
                        Ok(mode) => {
                            guest_modes.insert(frontend.to_ascii_lowercase(), mode);
                        }
                        Err(found) => problems.extend(found),
                    }
                }
            }
            None => problems.push(
                super::attribute::wrong(&span, "guest_modes takes a map of frontends to modes")
                    .help("for example guest_modes = { sql = \"cluster\" }"),
            ),
        }
    }
    let mut guest_ports = BTreeMap::new();
    if let Some((value, written)) = own(block, "guest_ports", &place, problems) {
        let span = written.value_span();
        for (rule, ports) in value.entries().into_iter().flatten() {
            match guest_settings::ports(ports) {
                Some(ports) => {
                    guest_ports.insert(rule.to_ascii_lowercase(), ports);
                }
                None => problems.push(super::attribute::wrong(
                    &span,
                    format!("the ports of {rule:?} are a list of ports"),
                )),
            }
        }
    }
    let mut expected = DesiredLoadBalancer {
        id: id.clone(),
        attributes: Attributes::new(),
        items: Items::default(),
        lifecycle: Lifecycle::default(),
        drain_seconds: 0,
        span: block.header(),
    };
    let mut expects = block.blocks().filter(|b| b.kind() == "expect");
    if let Some(expect) = expects.next() {
        expect.expect_labels(&[], problems);
        expect.expect_attributes(&[], problems);
        let place = super::evaluate::Place {
            within: Within::Data(&id),
            ..place
        };
        resources::items(evaluator, &expect, &place, &mut expected, problems);
    }
    if let Some(second) = expects.next() {
        problems.push(
            Diagnostic::error(codes::DUPLICATE.code, codes::DUPLICATE.title)
                .at(second.header(), "declared again")
                .help("put what is expected into one expect block"),
        );
    }
    for item in &expected.items {
        if item.kind == crate::model::ItemKind::Frontend && item.guest.mode != GuestMode::default()
        {
            guest_modes
                .entry(item.name.to_ascii_lowercase())
                .or_insert(item.guest.mode);
        }
    }
    Some(DataLoadBalancer {
        id,
        expected,
        guest_modes,
        guest_ports,
        span: block.header(),
    })
}
