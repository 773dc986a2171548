//! Text that is not ours, inside Markdown: it must show as what it is, end nothing, link nowhere and call nobody.

use crate::view::tame;

/// A code span: nothing is a mention, a reference or a link in it.
pub(super) fn code(text: &str) -> String {
    let text = tame(text);
    if text.trim().is_empty() {
        return "` `".to_owned();
    }
    let ticks = "`".repeat(longest_run(&text) + 1);
    // One blank on each side is taken away again, so that a text may begin or end with a backtick.
    let pad = if text.contains('`') || text.starts_with(' ') || text.ends_with(' ') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A sentence: what could be syntax is escaped, what could be a mention, a reference or a link is broken up.
pub(super) fn prose(text: &str) -> String {
    let text = tame(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // An empty comment parts what GitHub and Azure DevOps would join into a mention, an issue or a link.
            '@' => out.push_str("@<!-- -->"),
            '#' => out.push_str("#<!-- -->"),
            '/' if before == ':' => out.push_str("<!-- -->/"),
            '.' if before.eq_ignore_ascii_case(&'w') => out.push_str("<!-- -->."),
            c => out.push(c),
        }
        before = c;
    }
    // At the beginning of a line these would make a list or a heading.
    if let Some(first) = out.chars().next().filter(|c| "-+=".contains(*c)) {
        out.replace_range(..1, &format!("\\{first}"));
    }
    out
}

/// Inside an HTML tag such as `<summary>`.
pub(super) fn html(text: &str) -> String {
    tame(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A fenced block that its content cannot end.
pub(super) fn fence(language: &str, content: &str) -> String {
    let ticks = "`".repeat(longest_run(content).max(2) + 1);
    let content = content.trim_end_matches('\n');
    format!("{ticks}{language}\n{content}\n{ticks}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_spans_hold_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(""), "` `");
    }

    #[test]
    fn fences_hold_fences() {
        assert_eq!(
            fence("diff", "a\n````\nb\n"),
            "`````diff\na\n````\nb\n`````\n"
        );
    }

    #[test]
    fn prose_calls_nobody_and_links_nowhere() {
        let text = prose("@all see #1, https://x.y, www.z <img src=x> **b** [l](u) `c`");
        for call in ["@all", "#1", "://x", "www.", "<img", " **b", " [l]", " `c"] {
            assert!(!text.contains(call), "{call}: {text}");
        }
        assert_eq!(prose("- a"), "\\- a");
    }
}
