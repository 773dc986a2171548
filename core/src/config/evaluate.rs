//! What the configuration's expressions see: variables, locals, and the ids of everything that is declared. Values are
//! computed when they are asked for, each once, so that the order of blocks does not matter and a circle is noticed.

use super::block::Block;
use super::codes;
use super::module::Module;
use super::sources::Inputs;
use crate::lang::value::Entries;
use crate::lang::{
    Files, Key, Resolved, Scope, Step, StepKind, Type, Value, convert, evaluate, from_json,
    parse_expression, parse_type,
};
use crate::model::diag::did_you_mean;
use crate::model::{ArmId, Diagnostic, ItemKind, Kind, Span};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

type Outcome = Result<Value, Vec<Diagnostic>>;

/// Evaluates a module's values on demand.
pub(super) struct Evaluator<'a> {
    pub module: &'a Module<'a>,
    pub inputs: &'a Inputs,
    pub files: &'a dyn Files,
    memory: RefCell<BTreeMap<String, Memory>>,
    path: RefCell<Vec<(String, Span)>>,
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
    /// The load balancer's block and its key.
    pub load_balancer: Option<(&'a Block<'a>, Option<&'a Each>)>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(module: &'a Module<'a>, inputs: &'a Inputs, files: &'a dyn Files) -> Self {
        Self {
            module,
            inputs,
            files,
            memory: RefCell::default(),
            path: RefCell::default(),
        }
    }

    pub(super) fn place(&'a self) -> Place<'a> {
        Place {
            evaluator: self,
            each: None,
            load_balancer: None,
        }
    }

    /// The value, computed once; asking for what is being computed is a circle.
    fn once(&self, name: String, span: &Span, compute: impl FnOnce() -> Outcome) -> Outcome {
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

    fn circle(&self, name: &str, span: &Span) -> Diagnostic {
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

    fn variable(&self, name: &str, span: &Span) -> Outcome {
        let Some(block) = self.module.variables.get(name) else {
            return Err(vec![
                undeclared(
                    span,
                    &format!("variable {name:?}"),
                    name,
                    self.module.variables.keys(),
                )
                .help(format!(
                    "declare it: variable \"{name}\" {{ type = string }}"
                )),
            ]);
        };
        self.once(format!("var.{name}"), span, || {
            self.variable_value(name, block)
        })
    }

    fn variable_value(&self, name: &str, block: &Block<'a>) -> Outcome {
        let ty = match block.attribute("type") {
            Some(written) => parse_type(written.value(), written.file)?,
            None => Type::Any,
        };
        let given = match (
            self.inputs.variables.get(name),
            self.inputs.variable_files.get(name),
        ) {
            (Some(text), _) => Some(self.given(name, text, &ty)?),
            (None, Some(json)) => Some(from_json(json)),
            (None, None) => None,
        };
        let (value, span) = match (given, block.attribute("default")) {
            (Some(value), _) => (value, block.header()),
            (None, Some(default)) => (
                evaluate(default.value(), default.file, &self.place())?,
                default.value_span(),
            ),
            (None, None) => {
                return Err(vec![
                    Diagnostic::error(codes::NO_VALUE.code, codes::NO_VALUE.title)
                        .at(block.header(), "it has no default and was not given")
                        .help(format!(
                            "--var {name}=VALUE, or PLIMSOLL_VAR_{name}=VALUE in the environment"
                        )),
                ]);
            }
        };
        let sensitive = match block.attribute("sensitive") {
            Some(written) => {
                evaluate(written.value(), written.file, &self.place())?.as_bool() == Some(true)
            }
            None => false,
        };
        convert(&value, &ty)
            .map(|v| v.marked_if(sensitive))
            .map_err(|why| {
                vec![
                    Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                        .at(span, format!("variable {name:?}: {why}")),
                ]
            })
    }

    /// A text from the command line or the environment: the string itself where the type is simple, else an expression.
    fn given(&self, name: &str, text: &str, ty: &Type) -> Outcome {
        if matches!(ty, Type::Any | Type::String | Type::Number | Type::Bool) {
            return Ok(Value::string(text));
        }
        let file: Arc<str> = format!("<value of {name}>").into();
        let expression = parse_expression(text, &file).map_err(|problem| vec![problem])?;
        crate::lang::constant(&expression, &file)
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

    /// The keys of a resource's `for_each`; `None` where it has none.
    pub(super) fn instances(
        &'a self,
        block: &Block<'a>,
        place: &Place<'a>,
    ) -> Result<Option<Vec<Each>>, Vec<Diagnostic>> {
        let Some(written) = block.attribute("for_each") else {
            return Ok(None);
        };
        let value = evaluate(written.value(), written.file, place)?;
        let wrong = |why: &str| {
            vec![
                Diagnostic::error(codes::FOR_EACH.code, codes::FOR_EACH.title)
                    .at(written.value_span(), why)
                    .help("`toset([\"a\", \"b\"])` makes a set of a list"),
            ]
        };
        if !value.is_wholly_known() {
            return Err(wrong("its keys are known only after apply"));
        }
        if value.contains_sensitive() {
            return Err(wrong("its keys would show a sensitive value"));
        }
        if let Some(entries) = value.entries() {
            let each = |(key, value): (&Arc<str>, &Value)| Each {
                key: key.to_string(),
                value: value.clone(),
            };
            return Ok(Some(entries.iter().map(each).collect()));
        }
        match (value.ty(), value.items()) {
            (Type::Set(_), Some(items)) => items
                .iter()
                .map(|item| {
                    item.as_str().map(|key| Each {
                        key: key.to_owned(),
                        value: item.clone(),
                    })
                })
                .collect::<Option<Vec<_>>>()
                .map(Some)
                .ok_or_else(|| wrong("a set of strings is needed")),
            (ty, _) => Err(wrong(&format!("this is {ty}"))),
        }
    }

    /// What a reference to a top-level resource stands for, and how many steps of the path it took.
    fn resource(
        &'a self,
        kind: Kind,
        path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        let (table, word) = match kind {
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
            ) => match all.iter().find(|e| e.key == *key) {
                Some(each) => (Some(each), 2),
                None => {
                    let keys: Vec<&str> = all.iter().map(|e| e.key.as_str()).collect();
                    return Err(vec![undeclared(
                        span,
                        &format!("{word}.{label}[{key:?}]"),
                        key,
                        keys.iter(),
                    )]);
                }
            },
            (Some(_), _) => {
                return Err(vec![
                    Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title).at(
                        span.clone(),
                        format!("{word}.{label} has for_each: choose one with [\"KEY\"]"),
                    ),
                ]);
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
    fn item(
        &'a self,
        block: &Block<'a>,
        each: Option<&Each>,
        kind: ItemKind,
        label: &str,
        rest: &[Step],
        span: &Span,
    ) -> Result<(Value, usize), Vec<Diagnostic>> {
        let of_kind: Vec<Block<'a>> = block.blocks().filter(|b| b.kind() == kind.word()).collect();
        let Some(item) = of_kind.iter().find(|b| b.label() == label) else {
            let labels: Vec<&str> = of_kind.iter().map(Block::label).collect();
            return Err(vec![
                undeclared(span, &format!("{} {label:?} in this load balancer", kind.word()), label, labels.iter())
                    .note("a sub-resource that exists in Azure and is not declared here is named by a string"),
            ]);
        };
        let within = Place {
            evaluator: self,
            each,
            load_balancer: None,
        };
        let (name, consumed) = match self.instances(item, &within)? {
            None => (self.name_of(item, &within, label)?, 0),
            Some(all) => match rest.first() {
                Some(Step {
                    kind: StepKind::Index(Key::Text(key)),
                    span,
                }) => {
                    let Some(found) = all.iter().find(|e| e.key == *key) else {
                        let keys: Vec<&str> = all.iter().map(|e| e.key.as_str()).collect();
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
                    (self.name_of(item, &within, key)?, 1)
                }
                Some(_) | None => {
                    return Err(vec![
                        Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title).at(
                            span.clone(),
                            format!(
                                "{} {label:?} has for_each: choose one with [\"KEY\"]",
                                kind.word()
                            ),
                        ),
                    ]);
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
    fn identity(
        &'a self,
        kind: Kind,
        block: &Block<'a>,
        each: Option<&Each>,
        span: &Span,
    ) -> Outcome {
        let key = each.map(|e| format!("[{:?}]", e.key)).unwrap_or_default();
        let address = format!("{}.{}{key}", kind.word(), block.label());
        self.once(address.clone(), span, || {
            let place = Place {
                evaluator: self,
                each,
                load_balancer: None,
            };
            let name = self.name_of(block, &place, each.map_or(block.label(), |e| &e.key))?;
            if kind == Kind::Guest {
                return Ok(object([("name", name.as_str())], address));
            }
            let read = |attribute: &str| match block.attribute(attribute) {
                Some(written) => text(
                    &evaluate(written.value(), written.file, &place)?,
                    &written.value_span(),
                ),
                None => Err(vec![block.missing(attribute, "\"…\"")]),
            };
            let group = read("resource_group")?;
            let location = read("location")?;
            let arm = if kind == Kind::PublicIp {
                "publicIPAddresses"
            } else {
                "loadBalancers"
            };
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
        &'a self,
        kind: Kind,
        block: &Block<'a>,
        each: Option<&Each>,
    ) -> Result<ArmId, Vec<Diagnostic>> {
        let value = self.identity(kind, block, each, &block.header())?;
        let id = value.get("id").and_then(|v| v.as_str().map(ArmId::new));
        Ok(id.unwrap_or_else(|| ArmId::new("")))
    }
}

impl Scope for Place<'_> {
    fn resolve(&self, root: &str, path: &[Step], span: &Span) -> Result<Resolved, Vec<Diagnostic>> {
        let evaluator = self.evaluator;
        let first = path.first().and_then(Step::name);
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
            ("public_ip", _) => evaluator.resource(Kind::PublicIp, path, span),
            ("load_balancer", _) => evaluator.resource(Kind::LoadBalancer, path, span),
            ("guest", _) => evaluator.resource(Kind::Guest, path, span),
            (word, Some(name)) if item_kind(word).is_some() => {
                let Some((block, each)) = self.load_balancer else {
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
                let kind = item_kind(word).expect("the guard has found it");
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
                    "public_ip",
                    "load_balancer",
                    "guest",
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

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

fn item_kind(word: &str) -> Option<ItemKind> {
    ItemKind::ALL.into_iter().find(|kind| kind.word() == word)
}

fn object<const N: usize>(attributes: [(&str, &str); N], address: String) -> Value {
    let entries: Entries = attributes
        .into_iter()
        .map(|(name, text)| (Value::key(name), Value::string(text)))
        .collect();
    Value::object(entries).with_reference(address.into())
}

/// A known, unmarked string.
pub(super) fn text(value: &Value, span: &Span) -> Result<String, Vec<Diagnostic>> {
    let wrong = |code: crate::model::Code, why: String| {
        Err(vec![
            Diagnostic::error(code.code, code.title).at(span.clone(), why),
        ])
    };
    if value.contains_sensitive() {
        return wrong(codes::SENSITIVE, "this is sensitive".to_owned());
    }
    match convert(value, &Type::String) {
        Ok(converted) if !converted.is_known() => {
            wrong(codes::NOT_KNOWN, "known only after apply".to_owned())
        }
        Ok(converted) => match converted.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => wrong(
                codes::WRONG_VALUE,
                "a string is needed, this is null".to_owned(),
            ),
        },
        Err(why) => wrong(codes::WRONG_VALUE, why),
    }
}

fn undeclared<'n>(
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
