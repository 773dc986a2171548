//! The picture in DOT, for Graphviz.

use super::{Column, Node, Picture, Tone};
use std::fmt::Write as _;

/// Inside a quoted string of DOT only the quote and the backslash mean anything.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Lines of a label are joined by DOT's own `\n`.
fn label(node: &Node) -> String {
    let lines = [&node.title]
        .into_iter()
        .chain(&node.details)
        .chain(&node.state);
    lines.map(|l| escaped(l)).collect::<Vec<_>>().join("\\n")
}

fn colour(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Same => ("#6b7280", "solid"),
        Tone::Foreign => ("#9ca3af", "dotted"),
        Tone::Added => ("#15803d", "bold"),
        Tone::Changed => ("#a16207", "bold"),
        Tone::Deleted => ("#b91c1c", "dashed"),
        Tone::Warning => ("#c2410c", "bold"),
        Tone::Broken => ("#b91c1c", "bold"),
    }
}

pub(crate) fn text(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph plimsoll {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n  edge [fontname=\"sans-serif\", fontsize=9];\n",
    );
    for (at, node) in picture.boxes.iter().enumerate() {
        let (colour, style) = colour(node.tone);
        let shape = match node.column {
            Column::Frontend => ", shape=oval",
            Column::Pool => ", peripheries=2",
            Column::Rule | Column::Guest => "",
        };
        let _ = writeln!(
            out,
            "  n{at} [label=\"{}\", color=\"{colour}\", style={style}{shape}];",
            label(node)
        );
    }
    for column in Column::ALL {
        let same: Vec<String> = picture
            .boxes
            .iter()
            .enumerate()
            .filter(|(_, b)| b.column == column)
            .map(|(at, _)| format!("n{at}"))
            .collect();
        if !same.is_empty() {
            let _ = writeln!(out, "  {{ rank=same; {} }}", same.join("; "));
        }
    }
    for edge in &picture.lines {
        let (colour, style) = colour(edge.tone);
        let label = edge
            .label
            .as_ref()
            .map(|l| format!(", label=\"{}\"", escaped(l)))
            .unwrap_or_default();
        let head = if edge.tone == Tone::Broken {
            ", arrowhead=tee"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "  n{} -> n{} [color=\"{colour}\", style={style}{head}{label}];",
            edge.from, edge.to
        );
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_its_quotes() {
        assert_eq!(escaped("a\"b\\\n"), "a\\\"b\\\\ ");
        let node = Node {
            column: Column::Rule,
            title: "\"x\"".to_owned(),
            details: vec!["80".to_owned()],
            tone: Tone::Same,
            state: vec![],
        };
        assert_eq!(label(&node), "\\\"x\\\"\\n80");
    }
}
