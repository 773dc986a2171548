//! Arithmetic, comparison, logic and the conditional.

use super::{Env, Outcome, article, problem, value};
use crate::lang::codes;
use crate::lang::convert::convert;
use crate::lang::number::{ArithmeticError, Number};
use crate::lang::types::{Type, unify};
use crate::lang::value::Value;
use crate::model::Span;
use hcl::edit::Span as _;
use hcl::edit::expr::{BinaryOp, BinaryOperator, Conditional, Expression, UnaryOp, UnaryOperator};

pub(super) fn unary(operation: &UnaryOp, env: &Env<'_>) -> Outcome {
    let wanted = match operation.operator.value() {
        UnaryOperator::Neg => Type::Number,
        UnaryOperator::Not => Type::Bool,
    };
    let operand = value(&operation.expr, env)?;
    let operand = to_operand(&operand, &wanted, &env.span(&operation.expr))?;
    let result = match (operand.as_number(), operand.as_bool()) {
        (Some(number), _) => Value::from(number.negated()),
        (_, Some(truth)) => Value::from(!truth),
        _ => Value::unknown(wanted),
    };
    Ok(result.marked_if(operand.is_sensitive()))
}

pub(super) fn binary(operation: &BinaryOp, env: &Env<'_>) -> Outcome {
    let operator = *operation.operator.value();
    if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
        return logic(operation, operator == BinaryOperator::Or, env);
    }
    let (left, right) = both(
        value(&operation.lhs_expr, env),
        value(&operation.rhs_expr, env),
    )?;
    let sensitive = left.is_sensitive() || right.is_sensitive();
    if let BinaryOperator::Eq | BinaryOperator::NotEq = operator {
        // A secret anywhere in what is compared can be learnt from the answer.
        let sensitive = left.contains_sensitive() || right.contains_sensitive();
        let result = match left.equals(&right) {
            Some(equal) => Value::from(equal == (operator == BinaryOperator::Eq)),
            None => Value::unknown(Type::Bool),
        };
        return Ok(result.marked_if(sensitive));
    }
    let (left, right) = both(
        to_operand(&left, &Type::Number, &env.span(&operation.lhs_expr)),
        to_operand(&right, &Type::Number, &env.span(&operation.rhs_expr)),
    )?;
    let compares = matches!(
        operator,
        BinaryOperator::Less
            | BinaryOperator::LessEq
            | BinaryOperator::Greater
            | BinaryOperator::GreaterEq
    );
    let (Some(a), Some(b)) = (left.as_number(), right.as_number()) else {
        let ty = if compares { Type::Bool } else { Type::Number };
        return Ok(Value::unknown(ty).marked_if(sensitive));
    };
    let result = match calculate(operator, a, b) {
        Ok(result) => result,
        Err(error) => {
            let span = operation.operator.span().unwrap_or(0..0);
            return Err(vec![problem(
                codes::INVALID_ARITHMETIC,
                Span::new(env.file.clone(), span),
                error.to_string(),
            )]);
        }
    };
    Ok(result.marked_if(sensitive))
}

fn calculate(operator: BinaryOperator, a: &Number, b: &Number) -> Result<Value, ArithmeticError> {
    Ok(match operator {
        BinaryOperator::Plus => a.add(b)?.into(),
        BinaryOperator::Minus => a.subtract(b)?.into(),
        BinaryOperator::Mul => a.multiply(b)?.into(),
        BinaryOperator::Div => a.divide(b)?.into(),
        BinaryOperator::Mod => a.remainder(b)?.into(),
        BinaryOperator::Less => Value::from(a < b),
        BinaryOperator::LessEq => Value::from(a <= b),
        BinaryOperator::Greater => Value::from(a > b),
        BinaryOperator::GreaterEq => Value::from(a >= b),
        BinaryOperator::Eq => Value::from(a == b),
        BinaryOperator::NotEq => Value::from(a != b),
        BinaryOperator::And | BinaryOperator::Or => {
            unreachable!("logic has been dealt with before operands are numbers")
        }
    })
}

/// `&&` and `||`, as Terraform 1.12 and later have them: a left side that decides leaves the right one unevaluated, and
/// a right side that decides settles an unknown left one.
fn logic(operation: &BinaryOp, decides: bool, env: &Env<'_>) -> Outcome {
    let side = |expr: &Expression| to_operand(&value(expr, env)?, &Type::Bool, &env.span(expr));
    let left = side(&operation.lhs_expr)?;
    if left.as_bool() == Some(decides) {
        return Ok(left);
    }
    let right = side(&operation.rhs_expr)?;
    let sensitive = left.is_sensitive() || right.is_sensitive();
    let result = match (left.as_bool(), right.as_bool()) {
        (_, Some(right)) if right == decides => Value::from(decides),
        (Some(_), Some(right)) => Value::from(right),
        _ => Value::unknown(Type::Bool),
    };
    Ok(result.marked_if(sensitive))
}

fn both(left: Outcome, right: Outcome) -> Result<(Value, Value), Vec<crate::model::Diagnostic>> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (Err(left), Err(right)) => Err(left.into_iter().chain(right).collect()),
        (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => Err(problems),
    }
}

fn to_operand(operand: &Value, wanted: &Type, span: &Span) -> Outcome {
    if operand.is_null() {
        return Err(vec![problem(
            codes::NULL_VALUE,
            span.clone(),
            "this is null, so there is nothing to calculate with",
        )]);
    }
    convert(operand, wanted).map_err(|error| {
        let label = match operand.as_str() {
            Some(_) if operand.is_sensitive() => format!("{error}, and this string holds none"),
            Some(text) => format!("{error}, and the string {text:?} holds none"),
            None => format!(
                "a {} is needed, and this is {}",
                wanted.friendly(),
                article(&operand.ty())
            ),
        };
        vec![problem(codes::INVALID_OPERAND, span.clone(), label)]
    })
}

pub(super) fn conditional(conditional: &Conditional, env: &Env<'_>) -> Outcome {
    let condition_span = env.span(&conditional.cond_expr);
    let condition =
        value(&conditional.cond_expr, env).and_then(|found| condition(&found, &condition_span));
    let (yes, no) = (
        value(&conditional.true_expr, env),
        value(&conditional.false_expr, env),
    );
    let condition = condition?;
    // Terraform evaluates both sides and reports only the problems of the chosen one.
    let (yes, no) = match (condition.as_bool(), yes, no) {
        (Some(true), Ok(yes), Err(_)) => return Ok(yes.marked_if(condition.is_sensitive())),
        (Some(false), Err(_), Ok(no)) => return Ok(no.marked_if(condition.is_sensitive())),
        (Some(true), Err(problems), _) | (Some(false), _, Err(problems)) => return Err(problems),
        (_, yes, no) => both(yes, no)?,
    };
    // What stands for something else is chosen, not converted: two frontends need not look alike.
    let stand = yes.reference().is_some() && no.reference().is_some();
    if let Some(truth) = condition.as_bool().filter(|_| stand) {
        return Ok(if truth { yes } else { no }.marked_if(condition.is_sensitive()));
    }
    let ty = result_type(&yes, &no).ok_or_else(|| {
        vec![
            problem(
                codes::INCONSISTENT_TYPES,
                env.span(&conditional.true_expr),
                format!("this is {}", article(&yes.ty())),
            )
            .at(
                env.span(&conditional.false_expr),
                format!("and this is {}", article(&no.ty())),
            )
            .note("Both results of a conditional must fit one type."),
        ]
    })?;
    let Some(truth) = condition.as_bool() else {
        return Ok(Value::unknown(ty).marked_if(condition.is_sensitive()));
    };
    let (chosen, span) = if truth {
        (yes, env.span(&conditional.true_expr))
    } else {
        (no, env.span(&conditional.false_expr))
    };
    let result = convert(&chosen, &ty).map_err(|error| {
        vec![problem(
            codes::INCONSISTENT_TYPES,
            span,
            format!("the other result has another type: {error}"),
        )]
    })?;
    Ok(result.marked_if(condition.is_sensitive()))
}

/// The type of both results: an untyped null takes the other's, and an unknown of no type leaves it open.
fn result_type(yes: &Value, no: &Value) -> Option<Type> {
    match (yes.is_untyped(), no.is_untyped()) {
        (true, false) if yes.is_null() => Some(no.ty()),
        (false, true) if no.is_null() => Some(yes.ty()),
        (false, false) => unify(&[yes.ty(), no.ty()]),
        (true, _) | (_, true) => Some(Type::Any),
    }
}

/// A value as a condition: a bool, perhaps unknown, never null.
pub(super) fn condition(found: &Value, span: &Span) -> Outcome {
    if found.is_null() {
        return Err(vec![problem(
            codes::INVALID_CONDITION,
            span.clone(),
            "this condition is null",
        )]);
    }
    convert(found, &Type::Bool).map_err(|_| {
        let label = format!(
            "a condition is a bool, and this is {}",
            article(&found.ty())
        );
        vec![problem(codes::INVALID_CONDITION, span.clone(), label)]
    })
}
