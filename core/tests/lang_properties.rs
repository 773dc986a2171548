//! The language on what nobody has written: no panic on any text, a formatter that keeps the meaning, and agreement with
//! the `hcl` crate's own evaluator where the two mean to agree.

use hcl::eval::{Context, Evaluate};
use plimsoll_core::lang::{self, Files, NoFiles, Resolved, Scope, Step, Type, Value};
use plimsoll_core::model::{Diagnostic, Span};
use proptest::prelude::*;
use std::sync::Arc;

/// A scope with one value of each sort.
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
            "e" => {
                lang::from_json(&serde_json::json!({ "k": [1, "2", null, { "k": true }], "a": {} }))
            }
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

fn file() -> Arc<str> {
    Arc::from("property")
}

fn evaluate(source: &str) -> Result<Value, Vec<Diagnostic>> {
    let expr = lang::parse_expression(source, &file()).map_err(|problem| vec![problem])?;
    lang::evaluate(&expr, &file(), &Samples)
}

/// Pieces of configurations, in any order: far likelier to get past the parser than random characters.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "k",
        "x",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "=",
        "==",
        "=>",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "<",
        ">=",
        "&&",
        "||",
        "?",
        ":",
        ",",
        ".",
        "...",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "[*]",
        ".*",
        "[0]",
        "\"",
        "\"x\"",
        "\"${",
        "%{ if ",
        "%{ endif }",
        "%{ for x in ",
        "~}",
        "${~",
        "$${",
        "\\n",
        "\\u00e9",
        "é",
        "👩‍👩",
        "null",
        "true",
        "for ",
        "in ",
        "if ",
        "for x in d : ",
        "1",
        "0.5",
        "1e3",
        "99999999999999999999",
        "<<EOT\n",
        "<<-EOT\n",
        "\nEOT\n",
        "# c\n",
        "// c\n",
        "/* c */",
        "{ k = ",
        "[for k, x in e : ",
        "::",
        "\u{feff}",
        "b \"l\" {",
        "try(",
        "a = ",
    ];
    let calls: Vec<String> = lang::function_names()
        .map(|name| format!("{name}("))
        .collect();
    let piece = prop_oneof![
        6 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(calls),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Well-formed arguments of every sort for every function.
fn call() -> impl Strategy<Value = String> {
    let argument = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "e.k",
        "[]",
        "{}",
        "[1, 2]",
        "[\"b\", \"a\"]",
        "[null]",
        "[[1], [\"x\"]]",
        "toset([2, 1])",
        "\"\"",
        "\"10.0.0.0/8\"",
        "\"fd00::/8\"",
        "\"2024-02-29T12:00:00Z\"",
        "\"1h\"",
        "\"%s %[2]v %05.2f\"",
        "\"(?P<n>a)|b\"",
        "\"eA==\"",
        "\"- a: [1, {b: c}]\"",
        "\"a,b\\n1,2\"",
        "\"UTF-16LE\"",
        "0",
        "1",
        "-1",
        "2.5",
        "1e300",
        "-9223372036854775808",
        "1/0",
        "true",
        "null",
        "{ a = 1, b = \"x\" }",
        "{ k = [\"1\"] }",
        "sensitive([1])",
        "[c, b]",
        "tomap({ a = 1 })",
        "d...",
    ]);
    let names: Vec<&str> = lang::function_names().collect();
    (
        prop::sample::select(names),
        prop::collection::vec(argument, 0..5),
    )
        .prop_map(|(name, arguments)| format!("{name}({})", arguments.join(", ")))
}

/// Spans must be places of the text, or nobody can show them.
fn check(problems: &[Diagnostic], source: &str) {
    assert!(!problems.is_empty(), "an error without a diagnostic");
    for label in problems.iter().flat_map(|problem| &problem.labels) {
        assert!(
            source.get(label.span.range()).is_some(),
            "{label:?} is no place in {source:?}"
        );
    }
}

#[test]
fn what_the_parser_lets_through_does_not_overflow_the_stack() {
    let nested = |open: &str, close: &str, levels: usize| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    for levels in [60, 63, 64, 65, 5000] {
        for (open, close) in [
            ("[", "]"),
            ("(", ")"),
            ("[for x in [1] : ", "]"),
            ("\"${", "}\""),
            ("true ? 1 : ", ""),
            ("flatten([", "])"),
            ("-", ""),
        ] {
            let source = nested(open, close, levels);
            _ = evaluate(&source);
            _ = lang::format(&format!("a = {source}\n"));
        }
    }
    for operators in [127, 128, 129, 5000] {
        _ = evaluate(&format!("1{}", " + 1".repeat(operators)));
    }
    _ = lang::format(&nested("a {\n", "\n}", 5000));
    _ = evaluate(&format!("jsondecode(\"{}\")", "[".repeat(5000)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_evaluator_panic(source in prop_oneof![soup(), ".{0,40}", call()]) {
        match evaluate(&source) {
            Err(problems) => check(&problems, &source),
            Ok(value) => _ = (value.to_string(), value.ty().to_string(), lang::to_json(&value)),
        }
        if let Err(problem) = lang::parse_body(&source, &file()) {
            check(&[problem], &source);
        }
    }

    #[test]
    fn formatting_again_changes_nothing(source in prop_oneof![soup(), soup().prop_map(|soup| format!("a = [{soup}]\n"))]) {
        if let Ok(formatted) = lang::format(&source) {
            let again = lang::format(&formatted);
            prop_assert_eq!(again.as_deref(), Ok(formatted.as_str()), "from {:?}", source);
        }
    }

    #[test]
    fn formatting_keeps_the_meaning(body in body()) {
        let formatted = lang::format(&body).expect("the generator writes well-formed bodies");
        let parse = |source: &str| lang::parse_body(source, &file()).expect("well-formed");
        let (before, after) = (meaning(&parse(&body)), meaning(&parse(&formatted)));
        prop_assert_eq!(before, after);
        prop_assert_eq!(lang::format(&formatted), Ok(formatted));
    }

    #[test]
    fn what_is_printed_reads_back(source in prop_oneof![expression(), call()]) {
        if let Ok(value) = evaluate(&source)
            && value.is_wholly_known()
            && !value.contains_sensitive()
        {
            let printed = value.to_string();
            // As in Terraform's console, a heredoc does not say whether its last line has an end, and infinity is no literal.
            prop_assume!(!["<<EOT", "+Inf", "-Inf"].iter().any(|told| printed.contains(told)));
            let read = evaluate(&printed);
            prop_assert_eq!(read.as_ref().ok().and_then(lang::to_json), lang::to_json(&value), "{}", source);
            // As in Terraform's console, what null is null of is a comment at most, and an empty collection does not say
            // of what it is.
            if !["null", "([])", "({})"].iter().any(|untold| printed.contains(untold)) {
                prop_assert_eq!(read.as_ref().map(ToString::to_string), Ok(printed.clone()), "{}", source);
                prop_assert_eq!(read, Ok(value), "{} from {}", printed, source);
            }
        }
    }

    #[test]
    fn agrees_with_the_hcl_crate_where_both_mean_the_same(source in expression()) {
        let ours = evaluate(&source);
        let theirs = source.parse::<hcl::Expression>().expect("well-formed").evaluate(&Context::new());
        let ours = ours.ok().and_then(|value| lang::to_json(&value));
        let theirs = theirs.ok().and_then(|value| serde_json::to_value(value).ok());
        prop_assert_eq!(ours, theirs, "{}", source);
    }
}

/// The names of a body and what their values are.
fn meaning(body: &hcl::edit::structure::Body) -> Vec<String> {
    body.into_iter()
        .flat_map(|structure| match structure {
            hcl::edit::structure::Structure::Attribute(attribute) => {
                let value = lang::evaluate(&attribute.value, &file(), &Samples);
                let value = value.map_err(|problems| {
                    problems
                        .into_iter()
                        .map(|problem| problem.code)
                        .collect::<Vec<_>>()
                });
                vec![format!("{} = {value:?}", attribute.key.as_str())]
            }
            hcl::edit::structure::Structure::Block(block) => {
                let labels: Vec<&str> = block
                    .labels
                    .iter()
                    .map(hcl::edit::structure::BlockLabel::as_str)
                    .collect();
                [format!("{} {labels:?}", block.ident.as_str())]
                    .into_iter()
                    .chain(meaning(&block.body))
                    .collect()
            }
        })
        .collect()
}

/// Expressions of one type each, without what the two evaluators mean to differ in: conversions, division, null.
fn expression() -> impl Strategy<Value = String> {
    let number = (0i64..100).prop_map(|number| number.to_string());
    let number = number.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop::sample::select(vec!["+", "-", "*"]),
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|items| format!("[{}][0]", items.join(", "))),
            inner.clone().prop_map(|a| format!("{{ k = {a} }}.k")),
            (truth(inner.clone()), inner.clone(), inner)
                .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        ]
    });
    let text = number.clone().prop_map(|number| {
        format!("\"n ${{{number}}} é %{{ if {number} > 3 ~}} yes %{{ else }}no%{{ endif }}\"")
    });
    let list = prop::collection::vec(number.clone(), 0..4).prop_map(|items| {
        format!(
            "[for i, x in [{}] : {{ at = i, twice = x * 2 }} if x != 7]",
            items.join(", ")
        )
    });
    let object = prop::collection::vec(number.clone(), 0..4).prop_map(|items| {
        format!(
            "{{ for x in [{}] : \"k${{x % 3}}\" => x... }}",
            items.join(", ")
        )
    });
    prop_oneof![number.clone(), truth(number), text, list, object]
}

fn truth(number: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    let comparison = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let compared =
        (number.clone(), comparison, number).prop_map(|(a, op, b)| format!("({a} {op} {b})"));
    (
        compared.clone(),
        prop::sample::select(vec!["&&", "||"]),
        compared,
    )
        .prop_map(|(a, op, b)| format!("(!{a} {op} {b})"))
}

/// A file of attributes and blocks with random spaces, comments and line ends.
fn body() -> impl Strategy<Value = String> {
    let gap = prop::sample::select(vec!["", " ", "   ", "\t"]);
    let end = prop::sample::select(vec!["\n", "  # why\n", "// c\n", "\n\n", " /* c */\n"]);
    let value = prop_oneof![
        expression(),
        Just("[\n1,2,\n  3 # three\n]".to_owned()),
        Just("{\n  k=1\n\n  longer : [\n 2 ]\n}".to_owned()),
        Just("<<-EOT\n    x ${ 1+1 }\n  y\n    EOT".to_owned()),
        Just("concat(\n  [a],\n  [ [ {x=1} ] ]... )".to_owned()),
    ];
    let attribute = (gap.clone(), gap.clone(), gap, value, end).prop_map(
        |(before, left, right, value, end)| {
            (before.to_owned(), format!("{left}={right}{value}{end}"))
        },
    );
    // Names are numbered, because one block holds a name once.
    let lines = prop::collection::vec(attribute, 1..5).prop_map(|lines| {
        let lines = lines.iter().enumerate();
        lines
            .map(|(index, (before, rest))| format!("{before}n{}{rest}", "a".repeat(index)))
            .collect::<String>()
    });
    (lines.clone(), lines).prop_map(|(outer, inner)| format!("{outer}\nb  \"l\"{{\n{inner}}}\n"))
}
