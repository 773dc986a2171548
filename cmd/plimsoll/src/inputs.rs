//! What comes from outside the configuration's files: variables from the command line, from files and from the environment.

use crate::context::Context;
use crate::failure::Failure;
use crate::view::Told;
use plimsoll_core::config::Inputs;
use plimsoll_core::lang::{self, Files, NoFiles, Resolved, Scope, Step};
use plimsoll_core::model::{Diagnostic, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const PREFIX: &str = "PLIMSOLL_VAR_";

/// What `explain` knows of the problems that are found here.
pub(crate) const CODES: &[(&str, &str, &str)] = &[
    (
        REFERENCE,
        "a variable file cannot refer to anything",
        "A variable file holds values: literals, and functions of literals. Only the configuration itself can refer to variables, locals and resources.",
    ),
    (
        BLOCK,
        "a block in a variable file",
        "A variable file holds lines of the form `name = value` and no blocks. Blocks belong into the files of the configuration, which end in .plim.hcl.",
    ),
    (
        NOT_JSON,
        "invalid variable file",
        "A variable file that ends in .json holds one JSON object: the names of variables and their values.",
    ),
];

const REFERENCE: &str = "PL0004";
const BLOCK: &str = "PL0005";
const NOT_JSON: &str = "PL0006";

pub(crate) fn gather(context: &Context) -> Result<Inputs, Failure> {
    let mut inputs = Inputs {
        lab: context.global.lab,
        ..Inputs::default()
    };
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if let Some(name) = name.strip_prefix(PREFIX) {
            inputs
                .variables
                .insert(name.to_owned(), value.to_string_lossy().into_owned());
        }
    }
    for file in &context.global.variable_files {
        inputs.variable_files.extend(read(&context.path(file))?);
    }
    for given in &context.global.variables {
        let (name, value) = given.split_once('=').ok_or_else(|| {
            Failure::new(format!("--var {given:?} has no value"))
                .next("Write the name, an equals sign and the value:")
                .next("  --var location=westeurope")
        })?;
        inputs
            .variables
            .insert(name.trim().to_owned(), value.to_owned());
        // The environment may hold variables of other configurations; what is typed is meant.
        inputs.strict.insert(name.trim().to_owned());
    }
    Ok(inputs)
}

/// `name = value` lines in HCL, or one object in JSON.
fn read(path: &Path) -> Result<BTreeMap<String, Value>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("cannot read the variable file {}", path.display()))
            .because(&error)
            .next("Paths after -C DIR are seen from that directory.")
    })?;
    let file: Arc<str> = path.display().to_string().into();
    let (values, diagnostics) = if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"))
    {
        json(&text, &file)
    } else {
        hcl(&text, &file)
    };
    if diagnostics.is_empty() {
        return Ok(values);
    }
    Err(Failure::refused(Told {
        diagnostics,
        texts: [(file, text.into())].into(),
        ..Told::default()
    }))
}

fn json(text: &str, file: &Arc<str>) -> (BTreeMap<String, Value>, Vec<Diagnostic>) {
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(values) => (values, Vec::new()),
        Err(error) => {
            let before: usize = text
                .split_inclusive('\n')
                .take(error.line().saturating_sub(1))
                .map(str::len)
                .sum();
            let at = before + error.column().saturating_sub(1);
            let wrong = Diagnostic::error(NOT_JSON, "invalid variable file")
                .at(Span::new(Arc::clone(file), at..at + 1), error.to_string())
                .help("Write one object: {\"location\": \"westeurope\"}.");
            (BTreeMap::new(), vec![wrong])
        }
    }
}

fn hcl(text: &str, file: &Arc<str>) -> (BTreeMap<String, Value>, Vec<Diagnostic>) {
    let body = match lang::parse_body(text, file) {
        Ok(body) => body,
        Err(diagnostic) => return (BTreeMap::new(), vec![diagnostic]),
    };
    let (mut values, mut diagnostics) = (BTreeMap::new(), Vec::new());
    for structure in &body {
        match structure.as_attribute() {
            Some(attribute) => match lang::evaluate(&attribute.value, file, &Alone) {
                Ok(value) => {
                    values.insert(
                        attribute.key.as_str().to_owned(),
                        lang::to_json(&value).unwrap_or_default(),
                    );
                }
                Err(wrong) => diagnostics.extend(wrong),
            },
            None => diagnostics.push(
                Diagnostic::error(BLOCK, "a block in a variable file")
                    .at(
                        Span::new(Arc::clone(file), 0..0),
                        "only `name = value` lines may stand here",
                    )
                    .help("Write `name = value`, one a line."),
            ),
        }
    }
    (values, diagnostics)
}

/// Nothing to refer to.
struct Alone;

impl Scope for Alone {
    fn resolve(
        &self,
        root: &str,
        _path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        Err(vec![
            Diagnostic::error(REFERENCE, "a variable file cannot refer to anything")
                .at(span.clone(), format!("`{root}` is not known here"))
                .help("Write the value itself; a text stands in quotes."),
        ])
    }

    fn files(&self) -> &dyn Files {
        &NoFiles
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_kinds_of_variable_file() {
        let file: Arc<str> = "x".into();
        let (values, wrong) = hcl("a = \"x\"\nb = [1, 2]\n", &file);
        assert!(wrong.is_empty());
        assert_eq!(json!(values), json!({ "a": "x", "b": [1, 2] }));
        let (values, wrong) = super::json("{\"a\": \"x\"}", &file);
        assert!(wrong.is_empty());
        assert_eq!(values["a"], json!("x"));
    }

    #[test]
    fn what_is_no_value_is_told_with_its_place() {
        let file: Arc<str> = "x".into();
        let codes = |(_, wrong): (BTreeMap<String, Value>, Vec<Diagnostic>)| {
            wrong
                .iter()
                .map(|d| (d.code.clone(), d.labels[0].span.start))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            codes(hcl("a = var.b\n", &file)),
            [(REFERENCE.to_owned(), 4)]
        );
        assert_eq!(codes(hcl("a {}\n", &file)), [(BLOCK.to_owned(), 0)]);
        assert_eq!(
            codes(super::json("{\n  \"a\": }\n", &file)),
            [(NOT_JSON.to_owned(), 9)]
        );
    }
}
