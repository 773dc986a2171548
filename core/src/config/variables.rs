//! Variables: what was given for them, converted, checked and marked.

use super::block::Block;
use super::codes;
use super::evaluate::{Evaluator, Outcome, undeclared};
use super::module::Module;
use super::sources::Inputs;
use crate::lang::{
    Type, Value, constant, convert, evaluate, from_json, parse_expression, parse_type,
};
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use std::sync::Arc;

const ATTRIBUTES: &[&str] = &["type", "default", "description", "sensitive", "nullable"];

/// Every variable is looked at, used or not: a missing or a refused value is found before someone uses it.
pub(super) fn check<'a>(evaluator: &'a Evaluator<'a>, problems: &mut Vec<Diagnostic>) {
    for (name, block) in &evaluator.module.variables {
        block.expect_attributes(ATTRIBUTES, problems);
        block.expect_blocks(&["validation"], problems);
        match evaluator.variable(name, &block.header()) {
            Ok(_) => {
                for validation in block.blocks().filter(|b| b.kind() == "validation") {
                    validate(evaluator, name, &validation, problems);
                }
            }
            Err(found) => problems.extend(found),
        }
    }
}

/// Values that nothing asks for: a mistake where a person typed the name, and a warning in a file, which may serve
/// several configurations. The environment may hold anything.
pub(super) fn undeclared_values(
    module: &Module<'_>,
    inputs: &Inputs,
    problems: &mut Vec<Diagnostic>,
) {
    let unknown =
        |name: &&String| !name.starts_with('<') && !module.variables.contains_key(name.as_str());
    let hint = |problem: Diagnostic, name: &str| match did_you_mean(
        name,
        module.variables.keys().copied(),
    ) {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None => problem.help(format!("declare it: variable {name:?} {{}}")),
    };
    for name in inputs.strict.iter().filter(unknown) {
        let problem = Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title).note(
            format!("--var gives {name:?}, and the configuration declares no such variable"),
        );
        problems.push(hint(problem, name));
    }
    for name in inputs.variable_files.keys().filter(unknown) {
        let file = match inputs.variable_origins.get(name) {
            Some(file) => file.as_str(),
            None => "a variable file",
        };
        let problem =
            Diagnostic::warning(codes::UNDECLARED_VALUE.code, codes::UNDECLARED_VALUE.title).note(
                format!("{file} gives {name:?}, and the configuration declares no such variable"),
            );
        problems.push(hint(problem, name));
    }
}

fn validate<'a>(
    evaluator: &'a Evaluator<'a>,
    name: &str,
    block: &Block<'a>,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(refused) = condition(evaluator, block, problems) {
        problems.push(
            Diagnostic::error(codes::REFUSED_VALUE.code, codes::REFUSED_VALUE.title)
                .at(
                    refused.span,
                    format!("this is false for the value of {name:?}"),
                )
                .note(refused.message)
                .help(format!("give {name:?} another value")),
        );
    }
}

/// A condition that is false, with the message that the configuration has for it.
pub(super) struct Refused {
    pub span: Span,
    pub message: String,
}

/// `condition` and `error_message`, as `validation` and `assert` have them. What is not known yet refuses nothing.
pub(super) fn condition<'a>(
    evaluator: &'a Evaluator<'a>,
    block: &Block<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Refused> {
    block.expect_labels(&[], problems);
    block.expect_attributes(&["condition", "error_message"], problems);
    block.expect_blocks(&[], problems);
    let place = evaluator.place();
    let mut read = |name: &str, example: &str, ty: &Type| {
        let Some(written) = block.attribute(name) else {
            problems.push(block.missing(name, example));
            return None;
        };
        let value = evaluate(written.value(), written.file, &place).and_then(|value| {
            convert(&value, ty).map_err(|why| {
                vec![
                    Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                        .at(written.value_span(), format!("{name}: {why}")),
                ]
            })
        });
        match value {
            Ok(value) => Some((value, written.value_span())),
            Err(found) => {
                problems.extend(found);
                None
            }
        }
    };
    let condition = read("condition", "true", &Type::Bool);
    let message = read("error_message", "\"…\"", &Type::String);
    let (value, span) = condition?;
    if value.is_null() {
        problems.push(
            Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                .at(span, "a condition is true or false, this is null"),
        );
        return None;
    }
    let message = message.map_or(String::new(), |(message, _)| {
        if message.contains_sensitive() {
            "(the message holds a sensitive value)".to_owned()
        } else {
            message
                .as_str()
                .unwrap_or("(a message known only after apply)")
                .to_owned()
        }
    });
    (value.as_bool() == Some(false)).then_some(Refused { span, message })
}

impl Evaluator<'_> {
    pub(super) fn variable(&self, name: &str, span: &Span) -> Outcome {
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

    fn variable_value(&self, name: &str, block: &Block<'_>) -> Outcome {
        let ty = match block.attribute("type") {
            Some(written) => parse_type(written.value(), written.file)?,
            None => Type::Any,
        };
        let flag = |name: &str, otherwise: bool| match block.attribute(name) {
            Some(written) => {
                let value = constant(written.value(), written.file)?;
                value.as_bool().ok_or_else(|| {
                    vec![
                        Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                            .at(written.value_span(), format!("{name} is true or false")),
                    ]
                })
            }
            None => Ok(otherwise),
        };
        let sensitive = flag("sensitive", false)?;
        let nullable = flag("nullable", true)?;
        let fits = |value: &Value, span: Span| {
            convert(value, &ty).map_err(|why| {
                vec![
                    Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                        .at(span, format!("variable {name:?}: {why}")),
                ]
            })
        };
        // The default must fit even where another value is given: it is part of the declaration.
        let default = match block.attribute("default") {
            Some(written) => {
                let value = constant(written.value(), written.file)?;
                let value = fits(&value, written.value_span())?;
                if value.is_null() && !nullable {
                    return Err(vec![
                        Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title).at(
                            written.value_span(),
                            "null, and nullable = false forbids that",
                        ),
                    ]);
                }
                Some(value)
            }
            None => None,
        };
        let given = match (
            self.inputs.variables.get(name),
            self.inputs.variable_files.get(name),
        ) {
            (Some(text), _) => Some(self.given(name, text, &ty)?),
            (None, Some(json)) => Some(from_json(json)),
            (None, None) => None,
        };
        let given = match given {
            Some(value) => Some(fits(&value, block.header())?),
            None => None,
        };
        let value = match (given, default) {
            // `nullable = false` makes null mean "the default".
            (Some(value), Some(default)) if value.is_null() && !nullable => default,
            (Some(value), None) if value.is_null() && !nullable => {
                return Err(vec![
                    Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                        .at(
                            block.header(),
                            "null was given, and nullable = false forbids that",
                        )
                        .help(format!("give {name:?} a value")),
                ]);
            }
            (Some(value), _) | (None, Some(value)) => value,
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
        Ok(value.marked_if(sensitive))
    }

    /// A text from the command line or the environment: the string itself where the type is simple, else an expression.
    fn given(&self, name: &str, text: &str, ty: &Type) -> Outcome {
        if matches!(ty, Type::Any | Type::String | Type::Number | Type::Bool) {
            return Ok(Value::string(text));
        }
        let file: Arc<str> = format!("<value of {name}>").into();
        let expression = parse_expression(text, &file).map_err(|problem| vec![problem])?;
        constant(&expression, &file)
    }
}
