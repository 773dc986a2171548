//! What comes from outside the configuration's files: variables from the command line, from files and from the environment.

use crate::context::Context;
use crate::failure::Failure;
use crate::view::Told;
use plimsoll_core::config::Inputs;
use plimsoll_core::lang::{self, Files, NoFiles, Resolved, Scope, Step};
use plimsoll_core::model::{Diagnostic, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
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
    for path in found(context.directory()) {
        file(&mut inputs, &path)?;
    }
    for given in in_order(
        std::env::args_os(),
        &context.global.variables,
        &context.global.variable_files,
    ) {
        match given {
            Given::File(path) => file(&mut inputs, &context.path(path))?,
            Given::Value(text) => value(&mut inputs, text)?,
        }
    }
    Ok(inputs)
}

/// The last one to speak of a variable wins: each forgets what was said before.
fn file(inputs: &mut Inputs, path: &Path) -> Result<(), Failure> {
    for (name, value) in read(path)? {
        inputs.variables.remove(&name);
        inputs
            .variable_origins
            .insert(name.clone(), path.display().to_string());
        inputs.variable_files.insert(name, value);
    }
    Ok(())
}

fn value(inputs: &mut Inputs, given: &str) -> Result<(), Failure> {
    let (name, value) = given.split_once('=').ok_or_else(|| {
        Failure::new(format!("--var {given:?} has no value"))
            .next("Write the name, an equals sign and the value:")
            .next("  --var location=westeurope")
    })?;
    let name = name.trim().to_owned();
    inputs.variable_files.remove(&name);
    // The environment may hold variables of other configurations; what is typed is meant.
    inputs.strict.insert(name.clone());
    inputs.variables.insert(name, value.to_owned());
    Ok(())
}

/// The files that count without being named: `plimsoll.plimvars`, then every `*.auto.plimvars` in the order of their
/// names; each may be JSON, with `.json` behind.
fn found(directory: &Path) -> Vec<PathBuf> {
    let mut first = Vec::new();
    let mut automatic = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".json").unwrap_or(&name);
        if stem == "plimsoll.plimvars" {
            first.push(name);
        } else if stem.ends_with(".auto.plimvars") {
            automatic.push(name);
        }
    }
    first.sort();
    automatic.sort();
    let all = first.into_iter().chain(automatic);
    all.map(|name| directory.join(name)).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Given<'a> {
    Value(&'a str),
    File(&'a Path),
}

/// `--var` and `--var-file` as they were typed, one after the other. The parsed options are two lists; the command line
/// itself says how they were mixed. Where it does not (another program calls us), files come first.
fn in_order<'a>(
    typed: impl Iterator<Item = OsString>,
    values: &'a [String],
    files: &'a [PathBuf],
) -> Vec<Given<'a>> {
    let (mut left_values, mut left_files) = (values.iter(), files.iter());
    let mut mixed = Vec::new();
    for word in typed.take_while(|word| word != "--") {
        let word = word.to_string_lossy();
        if word == "--var" || word.starts_with("--var=") {
            mixed.extend(left_values.next().map(|v| Given::Value(v)));
        } else if word == "--var-file" || word.starts_with("--var-file=") {
            mixed.extend(left_files.next().map(|f| Given::File(f)));
        }
    }
    if left_values.next().is_none() && left_files.next().is_none() {
        return mixed;
    }
    let files = files.iter().map(|f| Given::File(f));
    files
        .chain(values.iter().map(|v| Given::Value(v)))
        .collect()
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
        if let Some(block) = structure.as_block() {
            diagnostics.push(
                Diagnostic::error(BLOCK, "a block in a variable file")
                    .at(
                        lang::span_of_block(block, file),
                        "only `name = value` lines may stand here",
                    )
                    .help("Write `name = value`, one a line; an object is written `name = { … }`."),
            );
        }
        if let Some(attribute) = structure.as_attribute() {
            match lang::evaluate(&attribute.value, file, &Alone) {
                Ok(value) => {
                    values.insert(
                        attribute.key.as_str().to_owned(),
                        lang::to_json(&value).unwrap_or_default(),
                    );
                }
                Err(wrong) => diagnostics.extend(wrong),
            }
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
    fn the_last_one_to_speak_of_a_variable_wins() {
        let words = |text: &str| {
            let words: Vec<OsString> = text.split(' ').map(OsString::from).collect();
            words.into_iter()
        };
        let values = ["a=1".to_owned(), "a=2".to_owned()];
        let files = [PathBuf::from("f")];
        let typed = "plimsoll --var a=1 plan --var-file=f --var=a=2";
        let (one, file, two) = (
            Given::Value("a=1"),
            Given::File(Path::new("f")),
            Given::Value("a=2"),
        );
        assert_eq!(in_order(words(typed), &values, &files), [one, file, two]);
        let (one, file, two) = (
            Given::Value("a=1"),
            Given::File(Path::new("f")),
            Given::Value("a=2"),
        );
        assert_eq!(in_order(words("test"), &values, &files), [file, one, two]);
    }

    #[test]
    fn files_beat_the_environment_and_the_command_line_beats_files() {
        let directory =
            std::env::temp_dir().join(format!("plimsoll-inputs-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for (name, text) in [
            ("plimsoll.plimvars", "a = \"first\"\nb = \"first\"\nc = 1\n"),
            ("z.auto.plimvars", "a = \"z\"\n"),
            ("b.auto.plimvars.json", "{\"a\": \"b\", \"b\": \"b\"}"),
            ("other.plimvars", "c = \"never read\"\n"),
        ] {
            std::fs::write(directory.join(name), text).unwrap();
        }
        let mut inputs = Inputs::default();
        inputs.variables.insert("a".into(), "environment".into());
        inputs.variables.insert("d".into(), "environment".into());
        for path in found(&directory) {
            file(&mut inputs, &path).unwrap();
        }
        value(&mut inputs, "c=2").unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(json!(inputs.variable_files), json!({ "a": "z", "b": "b" }));
        assert_eq!(
            json!(inputs.variables),
            json!({ "c": "2", "d": "environment" })
        );
        assert!(inputs.variable_origins["a"].ends_with("z.auto.plimvars"));
        assert!(value(&mut inputs, "c").is_err());
    }

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
