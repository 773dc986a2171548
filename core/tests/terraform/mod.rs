//! Terraform's own answers against ours: the scope that a `scope.tf` makes, and what differs from a case. Shared by the
//! tests and by `cargo xtask oracle`, which brings the files; nothing here reads any.

use plimsoll_core::lang::{self, Files, Resolved, Scope, Step, Type, Value};
use plimsoll_core::model::{Diagnostic, Span};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One expression and what Terraform says it is.
#[derive(Debug, Deserialize)]
pub struct Case {
    #[serde(default)]
    pub category: String,
    pub expr: String,
    display: Option<String>,
    #[serde(rename = "type")]
    ty: Option<String>,
    json: Option<Json>,
    #[serde(default)]
    unknown: bool,
    #[serde(default)]
    sensitive: bool,
    /// Terraform's title of the error, or `true`.
    #[serde(default)]
    error: Json,
    /// Our code of the error.
    code: Option<String>,
}

impl Case {
    fn is_refused(&self) -> bool {
        self.code.is_some() || !matches!(self.error, Json::Null | Json::Bool(false))
    }

    /// Terraform's answer in one line.
    pub fn theirs(&self) -> String {
        if self.is_refused() {
            let why = self.code.as_deref().or(self.error.as_str());
            return format!("an error ({})", why.unwrap_or("no title"));
        }
        let shown = self.display.clone();
        let value = shown.or_else(|| self.json.as_ref().map(Json::to_string));
        let marks = [(self.unknown, " unknown"), (self.sensitive, " sensitive")];
        let marks: String = marks
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| *word)
            .collect();
        format!(
            "{}{marks} of type {}",
            value.unwrap_or_default(),
            self.ty.as_deref().unwrap_or("?")
        )
    }
}

/// How an answer of ours compares.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Agrees,
    /// `&&` and `||` decide as soon as one side is enough: Terraform does since 1.12, and 1.11 gave these answers.
    DecidesEarly,
    Differs(String),
}

/// The scope that a body of variables, locals and unknown resources makes.
#[derive(Debug, Default)]
pub struct Terraform {
    variables: BTreeMap<String, Value>,
    locals: BTreeMap<String, Value>,
    /// Type → name → its attributes.
    resources: BTreeMap<String, BTreeMap<Arc<str>, Value>>,
}

impl Terraform {
    pub fn read(source: &str) -> Result<Self, Vec<Diagnostic>> {
        let file: Arc<str> = "scope.tf".into();
        let body = lang::parse_body(source, &file).map_err(|problem| vec![problem])?;
        let mut this = Self::default();
        let mut locals = Vec::new();
        for block in body.blocks() {
            let attribute = |name: &str| {
                block
                    .body
                    .get_attribute(name)
                    .map(|attribute| &attribute.value)
            };
            let label = |index: usize| {
                block
                    .labels
                    .get(index)
                    .map(|label| label.as_str().to_owned())
            };
            match block.ident.as_str() {
                "variable" => {
                    let Some(name) = label(0) else { continue };
                    let ty = match attribute("type") {
                        Some(expr) => lang::parse_type(expr, &file)?,
                        None => Type::Any,
                    };
                    // What nobody gave a value is unknown, as in a plan.
                    let value = match attribute("default") {
                        Some(expr) => {
                            let value = lang::evaluate(expr, &file, &this)?;
                            let misfit = |why| {
                                vec![Diagnostic::error("", format!("variable {name}: {why:?}"))]
                            };
                            lang::convert(&value, &ty).map_err(misfit)?
                        }
                        None => Value::unknown(ty),
                    };
                    let sensitive = match attribute("sensitive") {
                        Some(expr) => lang::evaluate(expr, &file, &this)? == Value::from(true),
                        None => false,
                    };
                    this.variables.insert(name, value.marked_if(sensitive));
                }
                "locals" => locals.extend(block.body.attributes()),
                "resource" | "data" => {
                    let (Some(kind), Some(name)) = (label(0), label(1)) else {
                        continue;
                    };
                    let unknown = ["id", "input", "output", "triggers_replace"]
                        .map(|name| (Arc::from(name), Value::unknown(Type::Any)));
                    let value = if kind == "terraform_data" {
                        Value::object(unknown.into_iter().collect())
                    } else {
                        Value::unknown(Type::Any)
                    };
                    this.resources
                        .entry(kind)
                        .or_default()
                        .insert(name.into(), value);
                }
                _ => {}
            }
        }
        this.compute(locals, &file)?;
        Ok(this)
    }

    /// Locals may refer to each other in any order: round by round, whatever can be computed is.
    fn compute(
        &mut self,
        mut left: Vec<&hcl::edit::structure::Attribute>,
        file: &Arc<str>,
    ) -> Result<(), Vec<Diagnostic>> {
        while !left.is_empty() {
            let (before, mut problems) = (left.len(), Vec::new());
            left.retain(
                |attribute| match lang::evaluate(&attribute.value, file, self) {
                    Ok(value) => {
                        self.locals.insert(attribute.key.as_str().to_owned(), value);
                        false
                    }
                    Err(found) => {
                        problems.extend(found);
                        true
                    }
                },
            );
            if left.len() == before {
                return Err(problems);
            }
        }
        Ok(())
    }
}

impl Scope for Terraform {
    fn resolve(&self, root: &str, path: &[Step], span: &Span) -> Result<Resolved, Vec<Diagnostic>> {
        let name = path.first().and_then(Step::name).unwrap_or_default();
        let found = match root {
            "var" => self.variables.get(name).cloned(),
            "local" => self.locals.get(name).cloned(),
            "path" if matches!(name, "module" | "root" | "cwd") => Some(".".into()),
            "terraform" if name == "workspace" => Some("default".into()),
            other => self
                .resources
                .get(other)
                .and_then(|of_type| of_type.get(name))
                .cloned(),
        };
        let unknown = || vec![Diagnostic::error("PL0011", "unknown name").at(span.clone(), root)];
        Ok(Resolved {
            value: found.ok_or_else(unknown)?,
            consumed: 1,
        })
    }

    fn files(&self) -> &dyn Files {
        &lang::NoFiles
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

fn evaluate(source: &str, scope: &dyn Scope) -> Result<Value, Vec<Diagnostic>> {
    let file: Arc<str> = "<expression>".into();
    let expr = lang::parse_expression(source, &file).map_err(|diagnostic| vec![diagnostic])?;
    lang::evaluate(&expr, &file, scope)
}

/// Whether the expression is one `&&` or `||`.
fn is_logical(source: &str) -> bool {
    use hcl::edit::expr::{BinaryOperator, Expression};
    let expr = lang::parse_expression(source, &"<expression>".into());
    matches!(
        expr,
        Ok(Expression::BinaryOp(operation))
            if matches!(*operation.operator, BinaryOperator::And | BinaryOperator::Or)
    )
}

pub fn judge(case: &Case, scope: &dyn Scope) -> Verdict {
    let value = match (evaluate(&case.expr, scope), case.is_refused()) {
        (Ok(value), false) => value,
        (Err(problems), true) => {
            let right = case
                .code
                .as_ref()
                .is_none_or(|code| problems.iter().any(|problem| problem.code == *code));
            return if right {
                Verdict::Agrees
            } else {
                Verdict::Differs(format!("fails otherwise: {}", words(&problems)))
            };
        }
        (Ok(value), true) => return Verdict::Differs(format!("{value}, and no error")),
        (Err(problems), false) => {
            return Verdict::Differs(format!("an error ({})", words(&problems)));
        }
    };
    // Terraform's `type` gives a type that only its console can print; ours gives the same text as a string.
    if case.ty.as_deref() == Some("type") {
        return if value.as_str() == case.display.as_deref() {
            Verdict::Agrees
        } else {
            Verdict::Differs(format!("type {value}"))
        };
    }
    let mut wrong = Vec::new();
    if case
        .display
        .as_ref()
        .is_some_and(|display| *display != value.to_string())
    {
        wrong.push(value.to_string());
    }
    if case
        .ty
        .as_ref()
        .is_some_and(|ty| *ty != value.ty().to_string())
    {
        wrong.push(format!("type {}", value.ty()));
    }
    if case.unknown == value.is_wholly_known() {
        wrong.push(if case.unknown { "known" } else { "unknown" }.to_owned());
    }
    if case.sensitive != value.contains_sensitive() {
        wrong.push(
            if case.sensitive {
                "not sensitive"
            } else {
                "sensitive"
            }
            .to_owned(),
        );
    }
    if let Some(json) = &case.json
        && lang::to_json(&value).as_ref().map(doubles) != Some(doubles(json))
    {
        wrong.push(match lang::to_json(&value) {
            Some(json) => format!("JSON {json}"),
            None => "no JSON".to_owned(),
        });
    }
    if wrong.is_empty() {
        Verdict::Agrees
    } else if case.unknown && is_logical(&case.expr) && value.is_wholly_known() {
        Verdict::DecidesEarly
    } else {
        Verdict::Differs(wrong.join("; "))
    }
}

fn words(problems: &[Diagnostic]) -> String {
    let all: Vec<String> = problems
        .iter()
        .map(|problem| format!("{} {}", problem.code, problem.summary))
        .collect();
    all.join(", ")
}

/// The same JSON with every number as a double, which is all that the cases kept.
fn doubles(json: &Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.as_f64()),
        Json::Array(items) => items.iter().map(doubles).collect(),
        Json::Object(entries) => {
            let sorted: BTreeMap<_, _> = entries
                .iter()
                .map(|(key, value)| (key.clone(), doubles(value)))
                .collect();
            Json::Object(sorted.into_iter().collect())
        }
        Json::Null | Json::Bool(_) | Json::String(_) => json.clone(),
    }
}

/// One file and what `terraform fmt -` makes of it; without `output` it is refused.
#[derive(Debug, Deserialize)]
pub struct Layout {
    #[serde(default)]
    pub name: String,
    pub input: String,
    pub output: Option<String>,
}

/// What differs from Terraform's layout, and whether ours is final.
pub fn judge_layout(case: &Layout) -> Verdict {
    let formatted = lang::format(&case.input).ok();
    // Terraform's terminal output ends with a line end, even if there was nothing to print.
    let printed = formatted
        .as_deref()
        .map(|text| if text.is_empty() { "\n" } else { text });
    let empty = case.output.as_deref() == Some("");
    if printed != case.output.as_deref() && !(empty && formatted.as_deref() == Some("")) {
        return Verdict::Differs(printed.unwrap_or("an error").to_owned());
    }
    match formatted {
        Some(text) if lang::format(&text).ok().as_deref() != Some(&text) => {
            Verdict::Differs("formatting again changes it".to_owned())
        }
        Some(_) | None => Verdict::Agrees,
    }
}
