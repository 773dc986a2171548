//! The first line as the type of a variable, the rest as a variable file and as the text of `--var`: a configuration or
//! diagnostics, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_core::config::{self, Inputs, SourceSet};
use plimsoll_core::lang::{self, Files, NoFiles, Resolved, Scope, Step};
use plimsoll_core::model::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A variable file refers to nothing.
struct Nothing;

impl Scope for Nothing {
    fn resolve(
        &self,
        root: &str,
        _path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        Err(vec![
            Diagnostic::error("PL0004", "a variable file cannot refer to anything")
                .at(span.clone(), root),
        ])
    }

    fn files(&self) -> &dyn Files {
        &NoFiles
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

fuzz_target!(|text: &str| {
    let (kind, values) = text.split_once('\n').unwrap_or(("any", text));
    let mut sources = SourceSet::default();
    let declared =
        format!("variable \"x\" {{\n  type = {kind}\n}}\noutput \"x\" {{\n  value = var.x\n}}\n");
    sources
        .files
        .insert("main.plim.hcl".into(), declared.into());
    let load = |inputs: &Inputs| drop(config::load(&sources, inputs, &NoFiles));
    let file: Arc<str> = "values".into();
    if let Ok(body) = lang::parse_body(values, &file) {
        let read = body.attributes().filter_map(|attribute| {
            let value = lang::evaluate(&attribute.value, &file, &Nothing).ok()?;
            Some((attribute.key.as_str().to_owned(), lang::to_json(&value)?))
        });
        let variable_files: BTreeMap<_, _> = read.collect();
        load(&Inputs {
            variable_files,
            ..Inputs::default()
        });
    }
    load(&Inputs {
        variables: [("x".to_owned(), values.to_owned())].into(),
        ..Inputs::default()
    });
});
