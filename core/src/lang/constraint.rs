//! Type constraints: `list(object({ name = string, port = optional(number, 80) }))`.

use super::codes;
use super::convert::convert;
use super::eval::{constant, span_of};
use super::types::{AttributeType, ObjectType, Presence, Type};
use super::value::Value;
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, FuncCall, ObjectKey};
use std::collections::BTreeMap;
use std::sync::Arc;

const KEYWORDS: [&str; 4] = ["string", "number", "bool", "any"];
const CONSTRUCTORS: [&str; 6] = ["list", "set", "map", "tuple", "object", "optional"];

/// Reads a type from the expression that a variable's `type` holds; reports all that is wrong with it.
pub fn parse_type(expr: &Expression, file: &Arc<str>) -> Result<Type, Vec<Diagnostic>> {
    match expr {
        Expression::Variable(name) => keyword(name.as_str(), span_of(expr, file)),
        Expression::Parenthesis(inner) => parse_type(inner.inner(), file),
        Expression::FuncCall(call) => constructor(call, expr, file),
        // Terraform before 0.12 wrote the types as strings.
        Expression::String(text) if KEYWORDS.contains(&text.as_str()) => Err(vec![
            invalid(span_of(expr, file), "a type is written without quotes").patch(
                "remove the quotes",
                span_of(expr, file),
                text.as_str(),
            ),
        ]),
        _ => Err(vec![
            invalid(span_of(expr, file), "this is not a type")
                .help("a type is one of string, number, bool, any, list(…), set(…), map(…), tuple([…]), object({…})"),
        ]),
    }
}

fn keyword(name: &str, span: Span) -> Result<Type, Vec<Diagnostic>> {
    let diagnostic = match name {
        "string" => return Ok(Type::String),
        "number" => return Ok(Type::Number),
        "bool" => return Ok(Type::Bool),
        "any" => return Ok(Type::Any),
        "list" | "set" | "map" => invalid(
            span.clone(),
            format!("`{name}` needs the type of its elements"),
        )
        .patch("any type of elements", span, format!("{name}(any)")),
        "tuple" => invalid(span, "`tuple` needs the types of its elements")
            .help("for example tuple([string, number])"),
        "object" => invalid(span, "`object` needs its attributes")
            .help("for example object({ name = string })"),
        "optional" => invalid(
            span,
            "`optional` stands only around the type of an object's attribute",
        ),
        _ => unknown_word(name, span),
    };
    Err(vec![diagnostic])
}

fn unknown_word(name: &str, span: Span) -> Diagnostic {
    let diagnostic = invalid(span.clone(), format!("there is no type `{name}`"));
    match did_you_mean(name, KEYWORDS.into_iter().chain(CONSTRUCTORS)) {
        Some(near) => diagnostic.patch(format!("did you mean `{near}`?"), span, near),
        None => diagnostic
            .help("the types are string, number, bool, any, list, set, map, tuple and object"),
    }
}

fn constructor(
    call: &FuncCall,
    expr: &Expression,
    file: &Arc<str>,
) -> Result<Type, Vec<Diagnostic>> {
    let name = call.name.name.as_str();
    let span = span_of(expr, file);
    let arguments: Vec<&Expression> = call.args.iter().collect();
    let one = |what: &str| match arguments.as_slice() {
        [argument] => Ok(*argument),
        _ => Err(vec![invalid(
            span.clone(),
            format!("`{name}` takes one argument: {what}"),
        )]),
    };
    match name {
        "list" => Ok(Type::list(parse_type(
            one("the type of its elements")?,
            file,
        )?)),
        "set" => Ok(Type::set(parse_type(
            one("the type of its elements")?,
            file,
        )?)),
        "map" => Ok(Type::map(parse_type(
            one("the type of its elements")?,
            file,
        )?)),
        "tuple" => match one("a list of types in brackets")? {
            Expression::Array(items) => Ok(Type::tuple(collect(
                items.iter().map(|item| parse_type(item, file)),
            )?)),
            other => Err(vec![invalid(
                span_of(other, file),
                "a list of types in brackets is expected here",
            )]),
        },
        "object" => match one("attributes and their types in braces")? {
            Expression::Object(object) => {
                let attributes = object
                    .iter()
                    .map(|(key, value)| attribute(key, value.expr(), file));
                let attributes: BTreeMap<_, _> = collect(attributes)?.into_iter().collect();
                Ok(Type::Object(Arc::new(ObjectType { attributes })))
            }
            other => Err(vec![invalid(
                span_of(other, file),
                "attributes and their types in braces are expected here",
            )]),
        },
        "optional" => Err(vec![invalid(
            span,
            "`optional` stands only around the type of an object's attribute",
        )]),
        _ if KEYWORDS.contains(&name) => Err(vec![
            invalid(span.clone(), format!("`{name}` takes no arguments")).patch(
                "use it alone",
                span,
                name,
            ),
        ]),
        _ => Err(vec![unknown_word(name, name_span(call, file, &span))]),
    }
}

fn attribute(
    key: &ObjectKey,
    value: &Expression,
    file: &Arc<str>,
) -> Result<(Arc<str>, AttributeType), Vec<Diagnostic>> {
    let name = match key {
        ObjectKey::Ident(name) => Value::key(name.as_str()),
        ObjectKey::Expression(Expression::String(name)) => Value::key(name),
        ObjectKey::Expression(other) => {
            return Err(vec![invalid(
                span_of(other, file),
                "an attribute's name is a plain word or a string",
            )]);
        }
    };
    let required = |ty| AttributeType {
        ty,
        presence: Presence::Required,
    };
    let Expression::FuncCall(call) = value else {
        return Ok((name, required(parse_type(value, file)?)));
    };
    if call.name.name.as_str() != "optional" {
        return Ok((name, required(parse_type(value, file)?)));
    }
    let arguments: Vec<&Expression> = call.args.iter().collect();
    let attribute = match arguments.as_slice() {
        [ty] => AttributeType {
            ty: parse_type(ty, file)?,
            presence: Presence::Optional,
        },
        [ty, default] => {
            let ty = parse_type(ty, file)?;
            let converted = convert(&constant(default, file)?, &ty).map_err(|error| {
                let label = format!("the default does not fit the attribute's type: {error}");
                vec![invalid(span_of(default, file), label)]
            })?;
            AttributeType {
                ty,
                presence: Presence::Default(converted),
            }
        }
        _ => {
            let label = "`optional` takes a type, and a default if there is one";
            return Err(vec![invalid(span_of(value, file), label)]);
        }
    };
    Ok((name, attribute))
}

/// All of the results, or all of the problems.
fn collect<T>(
    results: impl Iterator<Item = Result<T, Vec<Diagnostic>>>,
) -> Result<Vec<T>, Vec<Diagnostic>> {
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

fn name_span(call: &FuncCall, file: &Arc<str>, whole: &Span) -> Span {
    call.name
        .name
        .span()
        .map_or_else(|| whole.clone(), |range| Span::new(file.clone(), range))
}

fn invalid(span: Span, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error(codes::INVALID_TYPE.code, codes::INVALID_TYPE.title).at(span, label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::parse_expression;

    fn parse(source: &str) -> Result<Type, Vec<Diagnostic>> {
        let file: Arc<str> = "t".into();
        parse_type(&parse_expression(source, &file).unwrap(), &file)
    }

    #[test]
    fn reads_nested_types_and_defaults() {
        let ty = parse(
            "map(object({ a = string, b = optional(number, \"3\"), c = optional(list(bool)) }))",
        )
        .unwrap();
        let Type::Map(element) = &ty else {
            panic!("{ty}")
        };
        let Type::Object(object) = &**element else {
            panic!("{element}")
        };
        assert_eq!(
            object.attributes["b"].presence,
            Presence::Default(Value::from(3))
        );
        assert_eq!(object.attributes["c"].presence, Presence::Optional);
        assert_eq!(
            parse("tuple([string, any])"),
            Ok(Type::tuple(vec![Type::String, Type::Any]))
        );
    }

    #[test]
    fn reports_every_mistake_where_it_stands() {
        let problems =
            parse("object({ a = strin, b = list, c = optional(number, \"x\") })").unwrap_err();
        let places: Vec<_> = problems
            .iter()
            .map(|problem| problem.labels[0].span.range())
            .collect();
        assert_eq!(places, [13..18, 24..28, 51..54]);
        assert_eq!(problems[0].help[0].text, "did you mean `string`?");
    }
}
