//! What references to resources and to their parts stand for: ids and names, known before anything exists.

use super::block::Block;
use super::codes;
use super::evaluate::{Each, Evaluator, Outcome, Place, item_kind, object, text, undeclared};
use crate::lang::value::Entries;
use crate::lang::{Key, Resolved, Step, StepKind, Value, evaluate};
use crate::model::{ArmId, Diagnostic, ItemKind, Kind, Span};

/// A part of a load balancer that is not declared here.
pub(super) fn foreign_item(load_balancer: &ArmId, kind: ItemKind, name: &str) -> Value {
    let id = load_balancer.child(kind.arm(), name);
    let address = format!("{}.{name}", kind.word());
    object([("id", id.as_str()), ("name", name)], address)
}

impl<'a> Evaluator<'a> {
    /// What a reference to a top-level resource stands for, and how many steps of the path it took.
    pub(super) fn resource(
        &self,
        kind: Kind,
        path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        let (table, word) = match kind {
            Kind::PublicIpPrefix => (&self.module.public_ip_prefixes, "public_ip_prefix"),
            Kind::PublicIp => (&self.module.public_ips, "public_ip"),
            Kind::LoadBalancer => (&self.module.load_balancers, "load_balancer"),
            Kind::Guest => (&self.module.guests, "guest"),
        };
        let Some(label) = path.first().and_then(Step::name) else {
            return Err(vec![
                Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title).at(
                    span.clone(),
                    format!("name one of the {word} blocks: {word}.NAME"),
                ),
            ]);
        };
        let Some(block) = table.get(label) else {
            return Err(vec![undeclared(
                span,
                &format!("{word} {label:?}"),
                label,
                table.keys(),
            )]);
        };
        let place = self.place();
        let instances = self.instances(block, &place)?;
        let (each, mut consumed) = match (&instances, path.get(1)) {
            (None, _) => (None, 1),
            (
                Some(all),
                Some(Step {
                    kind: StepKind::Index(Key::Text(key)),
                    span,
                }),
            ) => match all.find(key) {
                Some(each) => (Some(each), 2),
                None => {
                    let keys: Vec<&str> = all.all.iter().map(|e| e.key.as_str()).collect();
                    return Err(vec![undeclared(
                        span,
                        &format!("{word}.{label}[{key:?}]"),
                        key,
                        keys.iter(),
                    )]);
                }
            },
            (Some(all), _) => {
                let memory = format!("{word}.{label} with all its instances");
                let value = self.once(memory, span, || {
                    let mut entries = Entries::new();
                    for each in &all.all {
                        let value = self.identity(kind, block, Some(each), span)?;
                        entries.insert(Value::key(&each.key), value);
                    }
                    Ok(Value::object(entries))
                })?;
                return Ok(Resolved { value, consumed: 1 });
            }
        };
        if kind == Kind::LoadBalancer
            && let Some((item, name)) = path.get(consumed).zip(path.get(consumed + 1))
            && let Some(item_kind) = item.name().and_then(item_kind)
            && let Some(name) = name.name()
        {
            let (value, more) =
                self.item(block, each, item_kind, name, &path[consumed + 2..], span)?;
            return Ok(Resolved {
                value,
                consumed: consumed + 2 + more,
            });
        }
        let value = self.identity(kind, block, each, span)?;
        consumed = consumed.min(path.len());
        Ok(Resolved { value, consumed })
    }

    /// A sub-resource of a load balancer by its label.
    pub(super) fn item(
        &self,
        block: &Block<'a>,
        each: Option<&Each>,
        kind: ItemKind,
        label: &str,
        rest: &[Step],
        span: &Span,
    ) -> Result<(Value, usize), Vec<Diagnostic>> {
        let within = self.at(each);
        let Some(item) = self.child(block, &within, kind, label)? else {
            let labels = self.labels(block, kind);
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            return Err(vec![
                undeclared(span, &format!("{} {label:?} in this load balancer", kind.word()), label, labels.iter())
                    .note("a sub-resource that exists in Azure and is not declared here is named by a string"),
            ]);
        };
        let within = within.inside(&item);
        let (name, consumed) = match self.instances(&item, &within)? {
            None => (self.name_of(&item, &within, label)?, 0),
            Some(all) => match rest.first() {
                Some(Step {
                    kind: StepKind::Index(Key::Text(key)),
                    span,
                }) => {
                    let Some(found) = all.find(key) else {
                        let keys: Vec<&str> = all.all.iter().map(|e| e.key.as_str()).collect();
                        return Err(vec![undeclared(
                            span,
                            &format!("key {key:?}"),
                            key,
                            keys.iter(),
                        )]);
                    };
                    let within = Place {
                        each: Some(found),
                        ..within
                    };
                    (self.name_of(&item, &within, key)?, 1)
                }
                // `frontend.x[each.key]`: the key is an expression, so every instance is there to choose from.
                Some(_) | None => {
                    let around = each.map(|e| e.key.as_str()).unwrap_or_default();
                    let memory = format!("{}.{label} of {} {around:?}", kind.word(), block.place());
                    let owner = self.identity(Kind::LoadBalancer, block, each, span)?;
                    let owner = owner.get("id").and_then(|v| v.as_str().map(ArmId::new));
                    let owner = owner.unwrap_or_else(|| ArmId::new(""));
                    let value = self.once(memory, span, || {
                        let mut entries = Entries::new();
                        for instance in &all.all {
                            let within = Place {
                                each: Some(instance),
                                ..within
                            };
                            let name = self.name_of(&item, &within, &instance.key)?;
                            entries.insert(
                                Value::key(&instance.key),
                                foreign_item(&owner, kind, &name),
                            );
                        }
                        Ok(Value::object(entries))
                    })?;
                    return Ok((value, 0));
                }
            },
        };
        let load_balancer = self.identity(Kind::LoadBalancer, block, each, span)?;
        let id = load_balancer
            .get("id")
            .and_then(|v| v.as_str().map(ArmId::new));
        let id = id
            .map(|id| id.child(kind.arm(), &name))
            .unwrap_or_else(|| ArmId::new(""));
        let address = format!("{}.{label}", kind.word());
        Ok((
            object([("id", id.as_str()), ("name", &name)], address),
            consumed,
        ))
    }

    /// Azure's name: `name`, or else the label or key.
    pub(super) fn name_of(
        &self,
        block: &Block<'_>,
        place: &Place<'_>,
        fallback: &str,
    ) -> Result<String, Vec<Diagnostic>> {
        let Some(written) = block.attribute("name") else {
            return Ok(fallback.to_owned());
        };
        text(
            &evaluate(written.value(), written.file, place)?,
            &written.value_span(),
        )
    }

    /// id, name, resource_group, location: all known before anything exists.
    fn identity(&self, kind: Kind, block: &Block<'a>, each: Option<&Each>, span: &Span) -> Outcome {
        let key = each.map(|e| format!("[{:?}]", e.key)).unwrap_or_default();
        let address = format!("{}.{}{key}", kind.word(), block.label());
        self.once(address.clone(), span, || {
            let place = self.at(each);
            let name = self.name_of(block, &place, each.map_or(block.label(), |e| &e.key))?;
            let arm = match kind {
                Kind::PublicIpPrefix => super::data::PUBLIC_IP_PREFIX,
                Kind::PublicIp => super::data::PUBLIC_IP,
                Kind::LoadBalancer => "loadBalancers",
                Kind::Guest => return Ok(object([("name", name.as_str())], address)),
            };
            let read = |attribute: &str| match block.attribute(attribute) {
                Some(written) => text(
                    &evaluate(written.value(), written.file, &place)?,
                    &written.value_span(),
                ),
                None => Err(vec![block.missing(attribute, "\"…\"")]),
            };
            let group = read("resource_group")?;
            let location = read("location")?;
            let id = ArmId::network(&self.subscription(&block.header())?, &group, arm, &name);
            Ok(object(
                [
                    ("id", id.as_str()),
                    ("name", &name),
                    ("resource_group", &group),
                    ("location", &location),
                ],
                address,
            ))
        })
    }

    /// The identity of a resource while it is decoded itself.
    pub(super) fn id(
        &self,
        kind: Kind,
        block: &Block<'a>,
        each: Option<&Each>,
    ) -> Result<ArmId, Vec<Diagnostic>> {
        let value = self.identity(kind, block, each, &block.header())?;
        let id = value.get("id").and_then(|v| v.as_str().map(ArmId::new));
        Ok(id.unwrap_or_else(|| ArmId::new("")))
    }
}
