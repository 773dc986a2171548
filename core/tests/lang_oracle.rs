//! The language against Terraform's own answers: the shared cases where they are at hand, and ours always.

#![expect(
    clippy::disallowed_methods,
    reason = "the cases are files, and tests may read them"
)]

use plimsoll_core::lang::{self, Files, Resolved, Scope, Step, Type, Value};
use plimsoll_core::model::{Diagnostic, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One expression and what Terraform says it is.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    category: String,
    expr: String,
    display: Option<String>,
    #[serde(rename = "type")]
    ty: Option<String>,
    json: Option<serde_json::Value>,
    #[serde(default)]
    unknown: bool,
    #[serde(default)]
    sensitive: bool,
    /// Terraform's title of the error.
    error: Option<String>,
    /// Our code of the error.
    code: Option<String>,
}

/// Where plimsoll means to differ from Terraform 1.11: `&&` and `||` decide early since 1.12.
const DIFFERENT: [(&str, bool); 2] = [
    ("false && terraform_data.u.output == \"x\"", false),
    ("true || terraform_data.u.output == \"x\"", true),
];

fn folder(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The scope that a body of variables, locals and unknown resources makes.
struct Configuration {
    variables: BTreeMap<String, Value>,
    locals: BTreeMap<String, Value>,
    resources: BTreeMap<String, Value>,
}

impl Configuration {
    fn read(source: &str) -> Self {
        let file: Arc<str> = "scope.tf".into();
        let body = lang::parse_body(source, &file).expect("a scope");
        let mut this = Self {
            variables: BTreeMap::new(),
            locals: BTreeMap::new(),
            resources: BTreeMap::new(),
        };
        for block in body.blocks() {
            let attribute = |name: &str| {
                block
                    .body
                    .get_attribute(name)
                    .map(|attribute| &attribute.value)
            };
            match block.ident.as_str() {
                "variable" => {
                    let ty = attribute("type").map_or(Type::Any, |expr| {
                        lang::parse_type(expr, &file).expect("a type")
                    });
                    let default =
                        lang::evaluate(attribute("default").expect("a default"), &file, &this)
                            .expect("a value");
                    let value = lang::convert(&default, &ty)
                        .expect("a fit")
                        .marked_if(attribute("sensitive").is_some());
                    this.variables
                        .insert(block.labels[0].as_str().to_owned(), value);
                }
                "locals" => {
                    for attribute in block.body.attributes() {
                        let value =
                            lang::evaluate(&attribute.value, &file, &this).expect("a value");
                        this.locals.insert(attribute.key.as_str().to_owned(), value);
                    }
                }
                "resource" => {
                    let unknown = ["id", "input", "output", "triggers_replace"]
                        .map(|name| (Arc::from(name), Value::unknown(Type::Any)));
                    let name = block.labels[1].as_str().to_owned();
                    this.resources
                        .insert(name, Value::object(unknown.into_iter().collect()));
                }
                _ => {}
            }
        }
        this
    }
}

impl Scope for Configuration {
    fn resolve(&self, root: &str, path: &[Step], span: &Span) -> Result<Resolved, Vec<Diagnostic>> {
        let name = path.first().and_then(Step::name).unwrap_or_default();
        let found = match root {
            "var" => self.variables.get(name),
            "local" => self.locals.get(name),
            "terraform_data" => self.resources.get(name),
            "path" if name == "module" => {
                return Ok(Resolved {
                    value: ".".into(),
                    consumed: 1,
                });
            }
            "terraform" if name == "workspace" => {
                return Ok(Resolved {
                    value: "default".into(),
                    consumed: 1,
                });
            }
            _ => None,
        };
        let unknown = || vec![Diagnostic::error("PL0011", "unknown name").at(span.clone(), root)];
        Ok(Resolved {
            value: found.cloned().ok_or_else(unknown)?,
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

/// What differs from the case, if anything does.
fn difference(case: &Case, scope: &dyn Scope) -> Option<String> {
    let refused = case.error.as_ref().or(case.code.as_ref());
    let value = match (evaluate(&case.expr, scope), refused) {
        (Ok(value), None) => value,
        (Err(problems), Some(_)) => {
            let right = case
                .code
                .as_ref()
                .is_none_or(|code| problems.iter().any(|problem| problem.code == *code));
            return (!right).then(|| format!("fails otherwise: {problems:?}"));
        }
        (Ok(value), Some(error)) => {
            return Some(format!("gives {value}, and should be refused: {error}"));
        }
        (Err(problems), None) => return Some(format!("fails: {problems:?}")),
    };
    // Terraform's `type` gives a type that only its console can print; ours gives the same text as a string.
    if case.ty.as_deref() == Some("type") {
        return (value.as_str() != case.display.as_deref()).then(|| format!("type is {value}"));
    }
    let mut wrong = Vec::new();
    if case
        .display
        .as_ref()
        .is_some_and(|display| *display != value.to_string())
    {
        wrong.push(format!(
            "display is {value}, not {}",
            case.display.as_deref().unwrap_or_default()
        ));
    }
    if case
        .ty
        .as_ref()
        .is_some_and(|ty| *ty != value.ty().to_string())
    {
        wrong.push(format!(
            "type is {}, not {}",
            value.ty(),
            case.ty.as_deref().unwrap_or_default()
        ));
    }
    if case.unknown == value.is_wholly_known() {
        wrong.push(format!("unknown is {}", !value.is_wholly_known()));
    }
    if case.sensitive != value.contains_sensitive() {
        wrong.push(format!("sensitive is {}", value.contains_sensitive()));
    }
    if let Some(json) = &case.json
        && lang::to_json(&value).as_ref().map(doubles) != Some(doubles(json))
    {
        wrong.push(format!("json is {:?}, not {json}", lang::to_json(&value)));
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// The same JSON with every number as a double, which is all that the cases kept.
fn doubles(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
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

fn compare(cases: &[Case], scope: &dyn Scope) -> Vec<String> {
    let differs = |case: &Case| match DIFFERENT.iter().find(|(expr, _)| *expr == case.expr) {
        Some((_, meant)) => (evaluate(&case.expr, scope) != Ok(Value::from(*meant)))
            .then(|| "did not decide early".to_owned()),
        None => difference(case, scope),
    };
    cases
        .iter()
        .filter_map(|case| {
            Some(format!(
                "{}: {} {}",
                case.category,
                case.expr,
                differs(case)?
            ))
        })
        .collect()
}

#[test]
fn agrees_with_terraform_on_the_shared_cases() {
    let shared = folder("../../shared/terraform");
    let Ok(source) = std::fs::read_to_string(shared.join("scope.tf")) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let scope = Configuration::read(&source);
    let cases = std::fs::read_to_string(shared.join("eval-cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    let wrong = compare(&cases, &scope);
    let agreed = cases.len() - wrong.len();
    println!("{agreed} of {} agree\n{}", cases.len(), wrong.join("\n"));
    assert!(
        agreed * 100 >= cases.len() * 98,
        "{agreed} of {} agree:\n{}",
        cases.len(),
        wrong.join("\n")
    );
}

/// One file and what `terraform fmt -` makes of it.
#[derive(Deserialize)]
struct Layout {
    #[serde(default)]
    name: String,
    input: String,
    output: Option<String>,
}

#[test]
fn agrees_with_our_own_cases() {
    let read = |name: &str| {
        std::fs::read_to_string(folder("testdata/lang").join(name)).expect("a fixture of ours")
    };
    let scope = Configuration::read(&read("scope.hcl"));
    let cases: Vec<Case> = serde_json::from_str(&read("eval.json")).unwrap();
    let wrong = compare(&cases, &scope);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let cases: Vec<Layout> = serde_json::from_str(&read("fmt.json")).unwrap();
    for case in cases {
        let formatted = lang::format(&case.input).unwrap();
        assert_eq!(Some(&formatted), case.output.as_ref(), "{:?}", case.input);
        assert_eq!(
            lang::format(&formatted).unwrap(),
            formatted,
            "formatting again changes it"
        );
    }
}

#[test]
fn formats_as_terraform_does() {
    let Ok(cases) = std::fs::read_to_string(folder("../../shared/terraform/fmt-cases.json")) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let cases: Vec<Layout> = serde_json::from_str(&cases).unwrap();
    for case in &cases {
        let formatted = lang::format(&case.input).ok();
        // Terraform's terminal output ends with a line end, even if there was nothing to print.
        let printed = formatted.clone().map(|text| {
            if text.is_empty() {
                "\n".to_owned()
            } else {
                text
            }
        });
        assert_eq!(printed, case.output, "{}", case.name);
        if let Some(text) = formatted {
            assert_eq!(
                lang::format(&text).unwrap(),
                text,
                "{}: formatting again changes it",
                case.name
            );
        }
    }
}
