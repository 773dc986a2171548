//! The instances of a block under `for_each`, and the blocks that `dynamic` generates: each computed once, and found by
//! key without looking at the others.

use super::block::{Block, Generated, Written, unknown_attribute};
use super::codes;
use super::evaluate::{Each, Evaluator, Place};
use crate::lang::value::Kind as ValueKind;
use crate::lang::{Type, Value, evaluate};
use crate::model::{Diagnostic, ItemKind, Span};
use hcl::edit::structure::Structure;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The keys of a `for_each`.
#[derive(Debug)]
pub(super) struct Keys {
    pub all: Vec<Each>,
    index: HashMap<String, usize>,
}

impl Keys {
    pub(super) fn find(&self, key: &str) -> Option<&Each> {
        self.index.get(key).and_then(|at| self.all.get(*at))
    }
}

/// `None` where there is no `for_each`.
pub(super) type Instances = Result<Option<Rc<Keys>>, Vec<Diagnostic>>;

/// Where the labelled blocks of a load balancer stand in its body.
#[derive(Debug, Default)]
pub(super) struct Statics {
    labelled: HashMap<ItemKind, HashMap<String, usize>>,
    dynamics: HashMap<String, Vec<usize>>,
}

/// What a `dynamic` block generates.
#[derive(Debug)]
pub(super) struct Generation {
    all: Vec<Rc<Generated>>,
    by_label: HashMap<String, usize>,
}

impl Generation {
    /// Of two with one label, which is reported elsewhere, the first.
    fn of(all: Vec<Rc<Generated>>) -> Self {
        let mut by_label = HashMap::with_capacity(all.len());
        for (at, generated) in all.iter().enumerate() {
            if let Some(label) = generated.labels.first() {
                by_label.entry(label.clone()).or_insert(at);
            }
        }
        Self { all, by_label }
    }

    fn find(&self, label: &str) -> Option<&Rc<Generated>> {
        self.by_label.get(label).and_then(|at| self.all.get(*at))
    }
}

pub(super) type Generations = Result<Rc<Generation>, Vec<Diagnostic>>;

fn key_of(place: &Place<'_>) -> String {
    place.each.map(|e| e.key.clone()).unwrap_or_default()
}

impl<'a> Evaluator<'a> {
    /// The keys of a block's `for_each`.
    pub(super) fn instances(&self, block: &Block<'_>, place: &Place<'_>) -> Instances {
        let Some(written) = block.attribute("for_each") else {
            return Ok(None);
        };
        let memory = (block.place(), key_of(place));
        if !block.is_generated() {
            match self.instances.borrow().get(&memory) {
                Some(Some(known)) => return known.clone(),
                Some(None) => return Err(vec![self.circle("for_each", &written.value_span())]),
                None => {}
            }
            self.instances.borrow_mut().insert(memory.clone(), None);
        }
        let found = self.keys(block, &written, place).map(|all| {
            let index = all.iter().enumerate();
            let index = index.map(|(at, each)| (each.key.clone(), at)).collect();
            Some(Rc::new(Keys { all, index }))
        });
        if !block.is_generated() {
            self.instances
                .borrow_mut()
                .insert(memory, Some(found.clone()));
        }
        found
    }

    /// Whether the keys may be known once members of pools are.
    fn waits(&self, value: &Value) -> bool {
        !are_keys_known(value) && !self.undiscovered.borrow().pools.is_empty()
    }

    /// Keys that wait for the members of a pool are not wrong; they are not known yet.
    fn keys(
        &self,
        block: &Block<'_>,
        written: &Written<'_>,
        place: &Place<'_>,
    ) -> Result<Vec<Each>, Vec<Diagnostic>> {
        let value = evaluate(written.value(), written.file, place)?;
        if self.waits(&value) {
            let name = format!("{}.{}", block.kind(), block.label());
            self.undiscovered.borrow_mut().blocks.insert(name);
            return super::evaluate::known(&value, &written.value_span()).map(|()| Vec::new());
        }
        keys_of(&value, written, false)
    }

    /// The blocks inside a block, with those that its `dynamic` blocks generate in their places.
    pub(super) fn children<'b>(
        &self,
        block: &Block<'b>,
        place: &Place<'_>,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<Block<'b>> {
        let mut all = Vec::new();
        self.counts.look_at(block.hcl.body.len());
        for child in block.blocks() {
            if child.kind() != "dynamic" {
                all.push(child.within(block));
                continue;
            }
            match self.generated(&child, block, place) {
                Ok(generated) => {
                    let Some(content) = content(&child) else {
                        continue;
                    };
                    all.extend(
                        generated
                            .all
                            .iter()
                            .map(|by| Block::generated(content.file, content.hcl, Rc::clone(by))),
                    );
                }
                Err(found) => problems.extend(found),
            }
        }
        all
    }

    /// What one `dynamic` block generates.
    fn generated(&self, dynamic: &Block<'_>, parent: &Block<'_>, place: &Place<'_>) -> Generations {
        let memory = (dynamic.place(), key_of(place));
        // Below another dynamic block the answer differs for each of its iterations.
        let once = place.names.is_empty();
        if once {
            match self.generations.borrow().get(&memory) {
                Some(Some(known)) => return known.clone(),
                Some(None) => return Err(vec![self.circle("dynamic", &dynamic.header())]),
                None => {}
            }
            self.generations.borrow_mut().insert(memory.clone(), None);
        }
        let found = expand(dynamic, parent, place).map(|all| Rc::new(Generation::of(all)));
        if once {
            self.generations
                .borrow_mut()
                .insert(memory, Some(found.clone()));
        }
        found
    }

    fn statics(&self, block: &Block<'_>) -> Rc<Statics> {
        if let Some(known) = self.statics.borrow().get(&block.place()) {
            return Rc::clone(known);
        }
        let mut statics = Statics::default();
        self.counts.look_at(block.hcl.body.len());
        for (at, structure) in block.hcl.body.iter().enumerate() {
            let Structure::Block(child) = structure else {
                continue;
            };
            let Some(label) = child.labels.first() else {
                continue;
            };
            match super::evaluate::item_kind(child.ident.as_str()) {
                Some(kind) => {
                    let of_kind = statics.labelled.entry(kind).or_default();
                    of_kind.entry(label.as_str().to_owned()).or_insert(at);
                }
                None if child.ident.as_str() == "dynamic" => {
                    let of_word = statics.dynamics.entry(label.as_str().to_owned());
                    of_word.or_default().push(at);
                }
                None => {}
            }
        }
        let statics = Rc::new(statics);
        self.statics
            .borrow_mut()
            .insert(block.place(), Rc::clone(&statics));
        statics
    }

    /// The labelled block of a load balancer.
    pub(super) fn child<'b>(
        &self,
        block: &Block<'b>,
        place: &Place<'_>,
        kind: ItemKind,
        label: &str,
    ) -> Result<Option<Block<'b>>, Vec<Diagnostic>> {
        self.counts.look_at(1);
        let statics = self.statics(block);
        let at = |at: usize| match block.hcl.body.get(at) {
            Some(Structure::Block(hcl)) => Some(Block::written(block.file, hcl)),
            Some(Structure::Attribute(_)) | None => None,
        };
        let known = statics.labelled.get(&kind).and_then(|of| of.get(label));
        if let Some(found) = known {
            return Ok(at(*found));
        }
        for dynamic in statics.dynamics.get(kind.word()).into_iter().flatten() {
            let Some(dynamic) = at(*dynamic) else {
                continue;
            };
            let generated = self.generated(&dynamic, block, place)?;
            self.counts.look_at(1);
            if let (Some(one), Some(content)) = (generated.find(label), content(&dynamic)) {
                return Ok(Some(Block::generated(
                    content.file,
                    content.hcl,
                    Rc::clone(one),
                )));
            }
        }
        Ok(None)
    }

    /// The labels of a kind, to suggest one.
    pub(super) fn labels(&self, block: &Block<'_>, kind: ItemKind) -> Vec<String> {
        let statics = self.statics(block);
        let of_kind = statics.labelled.get(&kind).into_iter();
        let mut labels: Vec<String> = of_kind.flat_map(HashMap::keys).cloned().collect();
        labels.sort();
        labels
    }
}

fn content<'b>(dynamic: &Block<'b>) -> Option<Block<'b>> {
    dynamic.blocks().find(|b| b.kind() == "content")
}

/// `dynamic "rule" { for_each, iterator, labels, content {} }`
fn expand(
    dynamic: &Block<'_>,
    parent: &Block<'_>,
    place: &Place<'_>,
) -> Result<Vec<Rc<Generated>>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let wrong = |span: Span, why: &str| {
        Diagnostic::error(codes::DYNAMIC.code, codes::DYNAMIC.title).at(span, why)
    };
    const KNOWN: &[&str] = &["for_each", "iterator", "labels"];
    if !dynamic.expect_labels(&["BLOCK"], &mut problems) {
        return Err(problems);
    }
    for attribute in dynamic.attributes().filter(|a| !KNOWN.contains(&a.name())) {
        problems.push(unknown_attribute(&attribute, "dynamic", KNOWN));
    }
    dynamic.expect_blocks(&["content"], &mut problems);
    if dynamic.blocks().filter(|b| b.kind() == "content").count() != 1 {
        problems.push(
            wrong(dynamic.header(), "it needs one content block")
                .help("write what each block holds into `content { … }`"),
        );
    }
    let kind = dynamic.written_label().to_owned();
    let iterator = match dynamic.attribute("iterator") {
        None => kind.clone(),
        Some(written) => match written.value() {
            hcl::edit::expr::Expression::Variable(name) => name.as_str().to_owned(),
            _ => {
                problems.push(
                    wrong(written.value_span(), "an iterator is a name without quotes")
                        .help("for example iterator = item"),
                );
                kind.clone()
            }
        },
    };
    let Some(written) = dynamic.attribute("for_each") else {
        problems.push(dynamic.missing("for_each", "[]"));
        return Err(problems);
    };
    let found = evaluate(written.value(), written.file, place).and_then(|value| {
        match place.evaluator.waits(&value) {
            true => super::evaluate::known(&value, &written.value_span()).map(|()| Vec::new()),
            false => keys_of(&value, &written, true),
        }
    });
    let all = match found {
        Ok(all) => all,
        Err(found) => {
            problems.extend(found);
            return Err(problems);
        }
    };
    let mut generated = Vec::with_capacity(all.len());
    for each in all {
        let mut names = parent.names().to_vec();
        names.push((iterator.clone(), each));
        let labels = match dynamic.attribute("labels") {
            None => Vec::new(),
            Some(written) => {
                let within = Place {
                    names: &names,
                    ..*place
                };
                match labels(&written, &within) {
                    Ok(labels) => labels,
                    Err(found) => {
                        problems.extend(found);
                        break;
                    }
                }
            }
        };
        generated.push(Rc::new(Generated {
            kind: kind.clone(),
            labels,
            names,
        }));
    }
    if problems.is_empty() {
        Ok(generated)
    } else {
        Err(problems)
    }
}

fn labels(written: &Written<'_>, place: &Place<'_>) -> Result<Vec<String>, Vec<Diagnostic>> {
    let value = evaluate(written.value(), written.file, place)?;
    let span = written.value_span();
    let Some(items) = value.items() else {
        return Err(vec![
            Diagnostic::error(codes::DYNAMIC.code, codes::DYNAMIC.title)
                .at(span, "labels are a list of strings")
                .help("for example labels = [rule.key]"),
        ]);
    };
    items
        .iter()
        .map(|item| super::evaluate::text(item, &span))
        .collect()
}

/// Values may wait for apply; keys may not.
fn are_keys_known(value: &Value) -> bool {
    match value.entries() {
        Some(_) => value.is_known(),
        None => value.is_wholly_known(),
    }
}

/// What `for_each` iterates over: known, and no secret. A `dynamic` block takes lists too.
fn keys_of(
    value: &Value,
    written: &Written<'_>,
    dynamic: bool,
) -> Result<Vec<Each>, Vec<Diagnostic>> {
    let code = if dynamic {
        codes::DYNAMIC
    } else {
        codes::FOR_EACH
    };
    let wrong = |why: &str, help: &str| {
        vec![
            Diagnostic::error(code.code, code.title)
                .at(written.value_span(), why)
                .help(help),
        ]
    };
    if !are_keys_known(value) {
        return Err(wrong(
            "its keys are known only after apply",
            "use keys that the configuration itself gives",
        ));
    }
    if value.is_sensitive() || (value.entries().is_none() && value.contains_sensitive()) {
        return Err(wrong(
            "its keys would show a sensitive value",
            "use keys that are not sensitive, or nonsensitive(…) if they are no secret",
        ));
    }
    let one = |key: &str, value: &Value| Each {
        key: key.to_owned(),
        value: value.clone(),
    };
    if let Some(entries) = value.entries() {
        let each = |(key, value): (&Arc<str>, &Value)| one(key, value);
        return Ok(entries.iter().map(each).collect());
    }
    match (value.kind(), value.items()) {
        (ValueKind::Set(..), Some(items)) if dynamic => Ok(items
            .iter()
            .map(|item| {
                let key = crate::lang::convert(item, &Type::String).ok();
                let key = key.as_ref().and_then(|k| k.as_str()).unwrap_or_default();
                one(key, item)
            })
            .collect()),
        (ValueKind::Set(..), Some(items)) => items
            .iter()
            .map(|item| item.as_str().map(|key| one(key, item)))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                wrong(
                    "a set of strings is needed",
                    "`toset([\"a\", \"b\"])` makes a set of a list",
                )
            }),
        (_, Some(items)) if dynamic => {
            let numbered = items.iter().enumerate();
            Ok(numbered
                .map(|(at, item)| one(&at.to_string(), item))
                .collect())
        }
        (_, _) => Err(wrong(
            // What the elements are does not matter here.
            &format!(
                "this is a {}",
                value.ty().to_string().split('(').next().unwrap_or_default()
            ),
            "`toset([\"a\", \"b\"])` makes a set of a list",
        )),
    }
}
