//! What the configuration's expressions see: variables, locals, and the ids of everything that is declared. Values are
//! computed when they are asked for, each once, so that the order of blocks does not matter and a circle is noticed.

use super::block::Block;
use super::codes;
use super::desired::Undiscovered;
use super::instances::{Generations, Instances, Statics};
use super::module::Module;
use super::named::foreign_item;
use super::sources::Inputs;
use crate::lang::value::Entries;
use crate::lang::{Files, Resolved, Scope, Step, Type, Value, convert, evaluate};
use crate::model::diag::did_you_mean;
use crate::model::{ArmId, Diagnostic, ItemKind, Kind, Span};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

pub(super) type Outcome = Result<Value, Vec<Diagnostic>>;

/// Evaluates a module's values on demand.
pub(super) struct Evaluator<'a> {
    pub module: &'a Module<'a>,
    pub inputs: &'a Inputs,
    pub files: &'a dyn Files,
    memory: RefCell<HashMap<String, Memory>>,
    /// By the place of the block and the key of what is around it; `None` while they are computed.
    pub instances: RefCell<HashMap<(usize, String), Option<Instances>>>,
    /// The labelled blocks of a block, by its place.
    pub statics: RefCell<HashMap<usize, Rc<Statics>>>,
    pub generations: RefCell<HashMap<(usize, String), Option<Generations>>>,
    path: RefCell<Vec<(String, Span)>>,
    pub counts: Counts,
    pub undiscovered: RefCell<Undiscovered>,
}

/// How much work an evaluation was: tests compare sizes with it, since seconds depend on the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Expressions evaluated, each time.
    pub evaluated: Cell<u64>,
    /// References resolved.
    pub resolved: Cell<u64>,
    /// Blocks and attributes gone through to find others.
    pub looked_at: Cell<u64>,
}

impl Counts {
    pub(super) fn look_at(&self, structures: usize) {
        add(&self.looked_at, structures);
    }
}

fn add(count: &Cell<u64>, more: usize) {
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    count.set(count.get().saturating_add(more));
}

enum Memory {
    Evaluating,
    Done(Outcome),
}

/// `each.key` and `each.value` of an instance.
#[derive(Clone, Debug)]
pub(super) struct Each {
    pub key: String,
    pub value: Value,
}

/// Where an expression stands: which instance, in which load balancer.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub evaluator: &'a Evaluator<'a>,
    pub each: Option<&'a Each>,
    /// The iterators of the `dynamic` blocks around it.
    pub names: &'a [(String, Each)],
    pub within: Within<'a>,
}

/// Whose `frontend.x` is meant.
#[derive(Clone, Copy)]
pub(super) enum Within<'a> {
    Nothing,
    /// The load balancer's block and its key.
    LoadBalancer(&'a Block<'a>, Option<&'a Each>),
    /// Someone else's load balancer: what it holds is not declared here.
    Data(&'a ArmId),
}

impl<'a> Place<'a> {
    /// The same place, inside this block.
    pub(super) fn inside<'b>(self, block: &'b Block<'_>) -> Place<'b>
    where
        'a: 'b,
    {
        Place {
            names: if block.is_generated() {
                block.names()
            } else {
                self.names
            },
            ..self
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(module: &'a Module<'a>, inputs: &'a Inputs, files: &'a dyn Files) -> Self {
        Self {
            module,
            inputs,
            files,
            memory: RefCell::default(),
            instances: RefCell::default(),
            statics: RefCell::default(),
            generations: RefCell::default(),
            counts: Counts::default(),
            undiscovered: RefCell::default(),
            path: RefCell::default(),
        }
    }

    pub(super) fn place(&'a self) -> Place<'a> {
        Place {
            evaluator: self,
            each: None,
            names: &[],
            within: Within::Nothing,
        }
    }

    /// The place of a top-level block's own attributes.
    pub(super) fn at(&'a self, each: Option<&'a Each>) -> Place<'a> {
        Place {
            each,
            ..self.place()
        }
    }

    /// The value, computed once; asking for what is being computed is a circle.
    pub(super) fn once(
        &self,
        name: String,
        span: &Span,
        compute: impl FnOnce() -> Outcome,
    ) -> Outcome {
        match self.memory.borrow().get(&name) {
            Some(Memory::Done(outcome)) => return outcome.clone(),
            Some(Memory::Evaluating) => return Err(vec![self.circle(&name, span)]),
            None => {}
        }
        self.memory
            .borrow_mut()
            .insert(name.clone(), Memory::Evaluating);
        self.path.borrow_mut().push((name.clone(), span.clone()));
        let outcome = compute();
        self.path.borrow_mut().pop();
        self.memory
            .borrow_mut()
            .insert(name, Memory::Done(outcome.clone()));
        outcome
    }

    pub(super) fn circle(&self, name: &str, span: &Span) -> Diagnostic {
        let path = self.path.borrow();
        let start = path.iter().position(|(n, _)| n == name).unwrap_or(0);
        let mut names: Vec<&str> = path.iter().skip(start).map(|(n, _)| n.as_str()).collect();
        names.push(name);
        let mut diagnostic = Diagnostic::error(codes::CYCLE.code, codes::CYCLE.title)
            .at(span.clone(), format!("needs {name}, which needs this"));
        for (other, span) in path.iter().skip(start + 1) {
            diagnostic = diagnostic.at(span.clone(), format!("needs {other}"));
        }
        diagnostic
            .note(format!("the circle is {}", names.join(" → ")))
            .help("give one of them a value of its own")
    }

    fn local(&self, name: &str, span: &Span) -> Outcome {
        let Some(local) = self.module.locals.get(name) else {
            return Err(vec![undeclared(
                span,
                &format!("local {name:?}"),
                name,
                self.module.locals.keys(),
            )]);
        };
        self.once(format!("local.{name}"), span, || {
            evaluate(local.value(), local.file, &self.place())
        })
    }

    /// The subscription that everything lives in.
    pub(super) fn subscription(&self, span: &Span) -> Result<String, Vec<Diagnostic>> {
        let written = self
            .module
            .provider
            .as_ref()
            .and_then(|p| p.attribute("subscription_id"));
        let value = self.once("provider.azure.subscription_id".to_owned(), span, || match written {
            Some(written) => {
                let value = evaluate(written.value(), written.file, &self.place())?;
                convert(&value, &Type::String).map_err(|why| {
                    vec![
                        Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                            .at(written.value_span(), why),
                    ]
                })
            }
            None => match self.inputs.variables.get("<subscription>") {
                Some(text) => Ok(Value::string(text)),
                None => Err(vec![
                    Diagnostic::error(codes::MISSING_BLOCK.code, codes::MISSING_BLOCK.title)
                        .at(span.clone(), "its id needs the subscription")
                        .help("add `provider \"azure\" { subscription_id = \"…\" }`, or set ARM_SUBSCRIPTION_ID"),
                ]),
            },
        })?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }
}

impl Scope for Place<'_> {
    fn resolve(&self, root: &str, path: &[Step], span: &Span) -> Result<Resolved, Vec<Diagnostic>> {
        let evaluator = self.evaluator;
        add(&evaluator.counts.resolved, 1);
        let first = path.first().and_then(Step::name);
        if let Some((_, each)) = self.names.iter().rev().find(|(name, _)| name == root) {
            return match first {
                Some("key") => Ok(Resolved {
                    value: Value::string(&each.key),
                    consumed: 1,
                }),
                Some("value") => Ok(Resolved {
                    value: each.value.clone(),
                    consumed: 1,
                }),
                Some(_) | None => Err(vec![
                    Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title).at(
                        span.clone(),
                        format!("an iterator has {root}.key and {root}.value"),
                    ),
                ]),
            };
        }
        let one = |value: Value| Resolved { value, consumed: 1 };
        match (root, first) {
            ("var", Some(name)) => evaluator.variable(name, span).map(one),
            ("local", Some(name)) => evaluator.local(name, span).map(one),
            ("each", Some(name @ ("key" | "value"))) => match self.each {
                Some(each) if name == "key" => Ok(one(Value::string(&each.key))),
                Some(each) => Ok(one(each.value.clone())),
                None => Err(vec![
                    Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title)
                        .at(span.clone(), "each is known only in a block with for_each"),
                ]),
            },
            ("public_ip_prefix", _) => evaluator.resource(Kind::PublicIpPrefix, path, span),
            ("public_ip", _) => evaluator.resource(Kind::PublicIp, path, span),
            ("load_balancer", _) => evaluator.resource(Kind::LoadBalancer, path, span),
            ("guest", _) => evaluator.resource(Kind::Guest, path, span),
            ("data", _) => evaluator.data(path, span),
            (word, Some(name)) if item_kind(word).is_some() => {
                let kind = item_kind(word).expect("the guard has found it");
                if let Within::Data(id) = self.within {
                    return Ok(one(foreign_item(id, kind, name)));
                }
                let Within::LoadBalancer(block, each) = self.within else {
                    return Err(vec![
                        Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title)
                            .at(
                                span.clone(),
                                format!("{word}.{name} is known only inside a load_balancer"),
                            )
                            .help(format!(
                                "outside of it write load_balancer.NAME.{word}.{name}"
                            )),
                    ]);
                };
                let (value, more) = evaluator.item(block, each, kind, name, &path[1..], span)?;
                Ok(Resolved {
                    value,
                    consumed: 1 + more,
                })
            }
            (_, _) => {
                let roots = [
                    "var",
                    "local",
                    "each",
                    "public_ip_prefix",
                    "public_ip",
                    "load_balancer",
                    "guest",
                    "data",
                ];
                Err(vec![undeclared(
                    span,
                    &format!("{root:?}"),
                    root,
                    roots.iter(),
                )])
            }
        }
    }

    fn files(&self) -> &dyn Files {
        self.evaluator.files
    }

    fn evaluating(&self) {
        add(&self.evaluator.counts.evaluated, 1);
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

pub(super) fn item_kind(word: &str) -> Option<ItemKind> {
    ItemKind::ALL.into_iter().find(|kind| kind.word() == word)
}

pub(super) fn object<const N: usize>(attributes: [(&str, &str); N], address: String) -> Value {
    let entries: Entries = attributes
        .into_iter()
        .map(|(name, text)| (Value::key(name), Value::string(text)))
        .collect();
    Value::object(entries).with_reference(address.into())
}

/// What is planned is known, and no secret. Whoever reads a value says it in the same words, so that it is said once.
pub(super) fn guard(value: &Value, span: &Span) -> Result<(), Vec<Diagnostic>> {
    if value.contains_sensitive() {
        return Err(vec![
            Diagnostic::error(codes::SENSITIVE.code, codes::SENSITIVE.title)
                .at(span.clone(), "the plan would show this sensitive value")
                .help("use a value that is not sensitive, or nonsensitive(…) if it is no secret"),
        ]);
    }
    known(value, span)
}

/// Whoever waits for the members of a pool says it in these words too, and [`load`](super::load()) drops them.
pub(super) fn known(value: &Value, span: &Span) -> Result<(), Vec<Diagnostic>> {
    if !value.is_wholly_known() {
        return Err(vec![
            Diagnostic::error(codes::NOT_KNOWN.code, codes::NOT_KNOWN.title)
                .at(span.clone(), "this is known only after apply"),
        ]);
    }
    Ok(())
}

/// A known, unmarked string.
pub(super) fn text(value: &Value, span: &Span) -> Result<String, Vec<Diagnostic>> {
    guard(value, span)?;
    let wrong = |why: String| vec![super::attribute::wrong(span, why)];
    let converted = convert(value, &Type::String).map_err(wrong)?;
    match converted.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong("a string is needed, this is null".to_owned())),
    }
}

pub(super) fn undeclared<'n>(
    span: &Span,
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'n &'n str>,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title)
        .at(span.clone(), format!("there is no {what}"));
    let known: Vec<&str> = known.copied().collect();
    match did_you_mean(word, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean {near:?}?")),
        None if known.is_empty() => diagnostic,
        None => diagnostic.help(format!("there are {}", known.join(", "))),
    }
}
