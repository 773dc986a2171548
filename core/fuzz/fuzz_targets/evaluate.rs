//! Any text as an expression, in a scope that has a value of each sort: an answer or a diagnostic, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_core::lang::{self, Files, NoFiles, Resolved, Scope, Step, Type, Value};
use plimsoll_core::model::{Diagnostic, Span};
use std::sync::Arc;

struct Samples;

impl Scope for Samples {
    fn resolve(
        &self,
        root: &str,
        _path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        let value = match root {
            "a" => Value::from(3),
            "b" => Value::from("text").sensitive(),
            "c" => Value::unknown(Type::Any),
            "d" => Value::list(Type::String, vec!["x".into(), Value::unknown(Type::String)]),
            "e" => Value::object(
                [("k".into(), Value::from(1)), ("l".into(), Value::null())]
                    .into_iter()
                    .collect(),
            ),
            "f" => Value::unknown(Type::map(Type::list(Type::Number))),
            "g" => Value::null(),
            _ => {
                return Err(vec![
                    Diagnostic::error("PL0011", "unknown name").at(span.clone(), root),
                ]);
            }
        };
        Ok(Resolved { value, consumed: 0 })
    }

    fn files(&self) -> &dyn Files {
        &NoFiles
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

fuzz_target!(|source: &str| {
    let file: Arc<str> = "fuzz".into();
    if let Ok(expr) = lang::parse_expression(source, &file)
        && let Ok(value) = lang::evaluate(&expr, &file, &Samples)
    {
        // What can be computed can be shown, and named by its type.
        let _ = value.to_string();
        let _ = value.ty().to_string();
        let _ = lang::to_json(&value);
    }
});
