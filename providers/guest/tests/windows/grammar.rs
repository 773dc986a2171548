//! PowerShell's grammar, as tree-sitter knows it: no Windows runs these scripts here, so this is what reads them.

use tree_sitter::{Node, Parser, Tree};

pub(crate) fn parse(script: &str) -> Tree {
    let mut parser = Parser::new();
    let language = tree_sitter_powershell::LANGUAGE.into();
    parser.set_language(&language).unwrap();
    parser.parse(script, None).unwrap()
}

/// Where the grammar is broken, or `None`.
pub(crate) fn broken(script: &str) -> Option<String> {
    fn first<'t>(node: Node<'t>) -> Option<Node<'t>> {
        if node.is_error() || node.is_missing() {
            return Some(node);
        }
        let mut cursor = node.walk();
        node.children(&mut cursor).find_map(first)
    }
    let tree = parse(script);
    if !tree.root_node().has_error() {
        return None;
    }
    first(tree.root_node()).map(|node| {
        let line = node.start_position().row;
        format!(
            "line {}: {}",
            line + 1,
            script.lines().nth(line).unwrap_or_default()
        )
    })
}

/// Every node of a kind, in order.
pub(crate) fn of_kind<'t>(tree: &'t Tree, kind: &str) -> Vec<Node<'t>> {
    fn collect<'t>(node: Node<'t>, kind: &str, all: &mut Vec<Node<'t>>) {
        if node.kind() == kind {
            all.push(node);
        }
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            collect(child, kind, all);
        }
    }
    let mut all = Vec::new();
    collect(tree.root_node(), kind, &mut all);
    all
}
