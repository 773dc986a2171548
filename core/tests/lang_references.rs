//! What a value stands for travels with it, and looking at a large value costs nothing.

use plimsoll_core::lang::{self, Files, NoFiles, Resolved, Scope, Step, Type, Value};
use plimsoll_core::model::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `frontend.<name>` are two frontends that do not look alike; `local.big` is large.
struct Named(BTreeMap<&'static str, Value>);

impl Named {
    fn new() -> Self {
        let frontend = |json: serde_json::Value, address: &str| {
            lang::from_json(&json).with_reference(address.into())
        };
        let big = (0..10_000).map(|index| {
            (
                Arc::from(format!("k{index}")),
                lang::from_json(&serde_json::json!({ "id": index })),
            )
        });
        Self(BTreeMap::from([
            (
                "green",
                frontend(
                    serde_json::json!({ "name": "green", "zones": ["1"] }),
                    "load_balancer.web.frontend.green",
                ),
            ),
            (
                "purple",
                frontend(
                    serde_json::json!({ "name": "purple", "port": 1 }),
                    "load_balancer.web.frontend.purple",
                ),
            ),
            ("big", Value::object(big.collect())),
            ("unknown", Value::unknown(Type::Bool)),
        ]))
    }
}

impl Scope for Named {
    fn resolve(
        &self,
        _root: &str,
        path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        let found = path
            .first()
            .and_then(Step::name)
            .and_then(|name| self.0.get(name));
        let unknown = || vec![Diagnostic::error("PL0011", "unknown name").at(span.clone(), "")];
        Ok(Resolved {
            value: found.cloned().ok_or_else(unknown)?,
            consumed: 1,
        })
    }

    fn files(&self) -> &dyn Files {
        &NoFiles
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

fn evaluate(source: &str, scope: &Named) -> Value {
    let file: Arc<str> = "test".into();
    let expr = lang::parse_expression(source, &file).expect(source);
    lang::evaluate(&expr, &file, scope).expect(source)
}

#[test]
fn a_reference_travels_with_its_value() {
    let scope = Named::new();
    for source in [
        "frontend.green",
        "true ? frontend.green : frontend.purple",
        "true ? frontend.green : null",
        "[frontend.purple, frontend.green][1]",
        "[for f in [frontend.green] : f][0]",
        "{ for k, f in { a = frontend.green } : k => f }.a",
        "{ a = frontend.green }[\"a\"]",
        "merge({ a = frontend.purple }, { a = frontend.green }).a",
        "element(flatten([[frontend.green]]), 0)",
        "lookup({ a = frontend.green }, \"a\")",
        "try(frontend.nope, frontend.green)",
        "tolist([frontend.green])[0]",
        "one(values({ a = frontend.green })[*])",
        "sensitive(frontend.green)",
    ] {
        assert_eq!(
            evaluate(source, &scope).reference(),
            Some("load_balancer.web.frontend.green"),
            "{source}"
        );
    }
    assert_eq!(evaluate("frontend.green.name", &scope).reference(), None);
    assert_eq!(
        evaluate(
            "frontend.green == { name = \"green\", zones = [\"1\"] }",
            &scope
        ),
        Value::from(true)
    );
}

#[test]
fn a_reference_shares_what_it_refers_to() {
    let scope = Named::new();
    let whole = evaluate("local.big", &scope);
    let (there, here) = (scope.0["big"].entries().unwrap(), whole.entries().unwrap());
    assert!(std::ptr::eq(there, here), "a reference copied the value");
    let chosen = evaluate("{ a = local.big }.a", &scope);
    assert!(
        std::ptr::eq(there, chosen.entries().unwrap()),
        "a traversal copied the value"
    );
}

#[test]
fn errors_tell_no_secrets() {
    let scope = Named::new();
    let file: Arc<str> = "test".into();
    for source in [
        "{ a = 1 }[sensitive(\"hunter2\")]",
        "sensitive({ hunter2 = \"x\" }).a",
        "sensitive(\"hunter2\") + 1",
        "lookup({ a = 1 }, sensitive(\"hunter2\"))",
        "regex(sensitive(\"(hunter2\"), \"x\")",
        "tonumber(sensitive(\"hunter2\"))",
        "sum(sensitive([{ hunter2 = 1 }, 2]))",
        "{ for k in sensitive([\"hunter2\", \"hunter2\"]) : k => 1 }",
        "parseint(sensitive(\"hunter2\"), 10)",
        "formatdate(sensitive(\"hunter2\"), \"2024-01-01T00:00:00Z\")",
    ] {
        let expr = lang::parse_expression(source, &file).expect(source);
        let problems = lang::evaluate(&expr, &file, &scope).expect_err(source);
        assert!(
            !format!("{problems:?}").contains("hunter2"),
            "{source}: {problems:?}"
        );
    }
}
