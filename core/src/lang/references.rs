//! What an expression refers to, for the graph of dependencies.

use super::eval::{span_of, static_path};
use super::scope::Step;
use crate::model::Span;
use hcl::edit::expr::{Expression, ForExpr, Traversal};
use hcl::edit::template::ForDirective;
use hcl::edit::visit::{self, Visit};
use std::sync::Arc;

/// One mention of a name that is not bound within the expression itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub root: String,
    /// The steps after it that are known without evaluating.
    pub path: Vec<Step>,
    pub span: Span,
}

/// Every reference, in the order in which they are written; names bound by `for` are not among them.
pub fn references(expr: &Expression, file: &Arc<str>) -> Vec<Reference> {
    let mut search = Search {
        file,
        bound: Vec::new(),
        found: Vec::new(),
    };
    search.visit_expr(expr);
    search.found
}

struct Search<'a> {
    file: &'a Arc<str>,
    bound: Vec<String>,
    found: Vec<Reference>,
}

impl Search<'_> {
    fn add(&mut self, root: &str, path: Vec<Step>, span: Span) {
        if !self.bound.iter().any(|bound| bound == root) {
            self.found.push(Reference {
                root: root.to_owned(),
                path,
                span,
            });
        }
    }

    /// Looks through something in which these names are bound.
    fn within<'n>(&mut self, names: impl Iterator<Item = &'n str>, look: impl FnOnce(&mut Self)) {
        let before = self.bound.len();
        self.bound.extend(names.map(str::to_owned));
        look(self);
        self.bound.truncate(before);
    }
}

impl Visit for Search<'_> {
    fn visit_expr(&mut self, node: &Expression) {
        if let Expression::Variable(name) = node {
            self.add(name.as_str(), Vec::new(), span_of(node, self.file));
        } else {
            visit::visit_expr(self, node);
        }
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(root) = &node.expr {
            let root_span = span_of(&node.expr, self.file);
            let path = static_path(&node.operators, self.file);
            let end = path.last().map_or(root_span.end, |step| step.span.end);
            self.add(root.as_str(), path, Span { end, ..root_span });
        } else {
            self.visit_expr(&node.expr);
        }
        for operator in &node.operators {
            self.visit_traversal_operator(operator);
        }
    }

    fn visit_for_expr(&mut self, node: &ForExpr) {
        self.visit_expr(&node.intro.collection_expr);
        let names = node
            .intro
            .key_var
            .iter()
            .chain([&node.intro.value_var])
            .map(|name| name.as_str());
        self.within(names, |search| {
            node.key_expr.iter().for_each(|key| search.visit_expr(key));
            search.visit_expr(&node.value_expr);
            node.cond
                .iter()
                .for_each(|cond| search.visit_expr(&cond.expr));
        });
    }

    fn visit_for_directive(&mut self, node: &ForDirective) {
        self.visit_expr(&node.for_expr.collection_expr);
        let names = node
            .for_expr
            .key_var
            .iter()
            .chain([&node.for_expr.value_var])
            .map(|name| name.as_str());
        self.within(names, |search| {
            search.visit_template(&node.for_expr.template);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::parse_expression;

    #[test]
    fn finds_references_everywhere_and_leaves_bound_names_out() {
        let file: Arc<str> = "t".into();
        let source = r#"{ (var.k) = [for x in local.xs : "${x.a}-${each.value[0].b[x.c]}" if y[*].z], k = data.d.e["f"] }"#;
        let expr = parse_expression(source, &file).unwrap();
        let found: Vec<&str> = references(&expr, &file)
            .iter()
            .map(|found| &source[found.span.range()])
            .collect();
        assert_eq!(
            found,
            [
                "var.k",
                "local.xs",
                "each.value[0].b",
                "y",
                "data.d.e[\"f\"]"
            ]
        );
    }
}
