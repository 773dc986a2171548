//! The picture as a mermaid flowchart, in the words that Azure DevOps' older mermaid understands too: `graph`, not
//! `flowchart`; `class` lines, since `:::` would end its block.

use super::{Column, Node, Picture, Tone};
use std::fmt::Write as _;

/// Everything that mermaid, Markdown or HTML could take for syntax becomes a character reference of mermaid's own.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_alphanumeric() || " .,/_-→·".contains(c) => out.push(c),
            c if c.is_control() => out.push(' '),
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out
}

/// Long texts make boxes that push everything else out of sight.
fn short(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return escaped(text);
    }
    let cut: String = text.chars().take(MOST - 1).collect();
    format!("{}…", escaped(cut.trim_end()))
}

fn label(node: &Node) -> String {
    let title = match node.column {
        Column::Pool => format!("pool {}", node.title),
        Column::Frontend | Column::Rule | Column::Guest => node.title.clone(),
    };
    let mut lines = vec![short(&title)];
    lines.extend(node.details.iter().map(|d| short(d)));
    lines.extend(node.state.iter().map(|s| short(s)));
    lines.join("<br/>")
}

/// Colours that carry dark text on either theme: the host decides about the background, not we.
fn style(tone: Tone) -> &'static str {
    match tone {
        Tone::Same => "fill:#f3f4f6,stroke:#6b7280,color:#111827",
        Tone::Foreign => "fill:#ffffff,stroke:#9ca3af,color:#374151,stroke-dasharray:3 3",
        Tone::Added => "fill:#dcfce7,stroke:#15803d,color:#14532d,stroke-width:2px",
        Tone::Changed => "fill:#fef9c3,stroke:#a16207,color:#713f12,stroke-width:2px",
        Tone::Deleted => "fill:#fee2e2,stroke:#b91c1c,color:#7f1d1d,stroke-dasharray:6 3",
        Tone::Warning => "fill:#ffedd5,stroke:#c2410c,color:#7c2d12,stroke-width:2px",
        Tone::Broken => "fill:#fecaca,stroke:#b91c1c,color:#7f1d1d,stroke-width:3px",
    }
}

fn line_style(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Same | Tone::Foreign | Tone::Changed | Tone::Warning => None,
        Tone::Added => Some("stroke:#15803d,stroke-width:2px"),
        Tone::Deleted => Some("stroke:#b91c1c,stroke-dasharray:6 3"),
        Tone::Broken => Some("stroke:#b91c1c,stroke-width:3px,stroke-dasharray:2 4"),
    }
}

pub(crate) fn text(picture: &Picture) -> String {
    let mut out = String::from("graph LR\n");
    for (at, node) in picture.boxes.iter().enumerate() {
        let label = label(node);
        let shape = match node.column {
            Column::Frontend => format!("([\"{label}\"])"),
            Column::Rule | Column::Guest => format!("[\"{label}\"]"),
            Column::Pool => format!("[[\"{label}\"]]"),
        };
        let _ = writeln!(out, "  n{at}{shape}");
    }
    for edge in &picture.lines {
        let arrow = match edge.tone {
            Tone::Broken => "-.-x",
            Tone::Deleted => "-.->",
            Tone::Same | Tone::Foreign | Tone::Added | Tone::Changed | Tone::Warning => "-->",
        };
        let label = edge
            .label
            .as_ref()
            .map(|l| format!("|\"{}\"|", short(l)))
            .unwrap_or_default();
        let _ = writeln!(out, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    for tone in Tone::ALL {
        let of: Vec<String> = picture
            .boxes
            .iter()
            .enumerate()
            .filter(|(_, b)| b.tone == tone)
            .map(|(at, _)| format!("n{at}"))
            .collect();
        if !of.is_empty() {
            let class = tone.class();
            let _ = writeln!(out, "  classDef {class} {}", style(tone));
            let _ = writeln!(out, "  class {} {class}", of.join(","));
        }
    }
    for (at, edge) in picture.lines.iter().enumerate() {
        if let Some(style) = line_style(edge.tone) {
            let _ = writeln!(out, "  linkStyle {at} {style}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_leaves_its_quotes() {
        let hostile =
            "a\"]; click n0 \"javascript:alert(1)\"\n```\n::: %%{init}%% <img src=x> `b` #35;";
        let text = escaped(hostile);
        for syntax in ['"', '`', '<', '>', '%', '{', '(', '[', '\n', '='] {
            assert!(!text.contains(syntax), "{syntax}: {text}");
        }
        assert!(!text.contains(":::"));
    }
}
