//! The picture as SVG that lives inside a page: its colours are the page's, so it follows light, dark and print.

use super::{Column, Node, Picture, Tone};
use crate::view::html::escaped;
use crate::view::tame;
use console::measure_text_width;
use std::fmt::Write as _;

const WIDTH: f64 = 212.0;
const GAP: f64 = 84.0;
const HEADING: f64 = 34.0;
const BETWEEN: f64 = 14.0;
const PAD: f64 = 11.0;
const LEADING: f64 = 17.0;
/// Letters of the details' size that a box holds in a line; a title's are wider.
const LETTERS: usize = 30;
const TITLE_LETTERS: usize = 25;
const MOST_LINES: usize = 4;

struct Placed<'a> {
    node: &'a Node,
    title: Vec<String>,
    lines: Vec<String>,
    x: f64,
    y: f64,
    height: f64,
}

/// Breaks at blanks and slashes; what is still too long is cut, and whole in the box's tooltip.
fn wrapped(text: &str, letters: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    // Measured as it will be drawn.
    let text = tame(text);
    for word in text.split_inclusive([' ', '/', '-', '_']) {
        if !line.is_empty()
            && measure_text_width(&line) + measure_text_width(word.trim_end()) > letters
        {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(word);
    }
    lines.push(line);
    let cut = lines.len() > most;
    lines.truncate(most);
    let mut lines: Vec<String> = lines
        .iter()
        .map(|l| {
            let l = l.trim_end();
            if measure_text_width(l) <= letters {
                l.to_owned()
            } else {
                console::truncate_str(l, letters, "…").into_owned()
            }
        })
        .collect();
    if let Some(last) = lines.last_mut().filter(|l| cut && !l.ends_with('…')) {
        *last = format!("{}…", console::truncate_str(last, letters - 1, ""));
    }
    lines
}

fn place(picture: &Picture) -> (Vec<Placed<'_>>, f64) {
    let mut placed: Vec<Placed<'_>> = picture
        .boxes
        .iter()
        .map(|node| {
            let title = wrapped(&node.title, TITLE_LETTERS, 2);
            let lines: Vec<String> = node
                .details
                .iter()
                .chain(&node.state)
                .flat_map(|l| wrapped(l, LETTERS, MOST_LINES))
                .collect();
            let rows = title.len() + lines.len();
            #[expect(clippy::cast_precision_loss, reason = "a box has a handful of lines")]
            let height = 2.0 * PAD + LEADING * rows as f64;
            Placed {
                node,
                title,
                lines,
                x: 0.0,
                y: 0.0,
                height,
            }
        })
        .collect();
    let mut tallest: f64 = 0.0;
    let mut heights = [0.0; 4];
    for (index, column) in Column::ALL.into_iter().enumerate() {
        let mut y = 0.0;
        for one in placed.iter_mut().filter(|p| p.node.column == column) {
            one.x = f64::from(u8::try_from(index).unwrap_or(0)) * (WIDTH + GAP);
            one.y = y;
            y += one.height + BETWEEN;
        }
        heights[index] = (y - BETWEEN).max(0.0);
        tallest = tallest.max(heights[index]);
    }
    // Shorter columns stand in the middle of the tallest.
    for one in &mut placed {
        let index = Column::ALL
            .iter()
            .position(|c| *c == one.node.column)
            .unwrap_or(0);
        one.y += HEADING + (tallest - heights[index]) / 2.0;
    }
    (placed, HEADING + tallest)
}

pub(crate) fn text(picture: &Picture, label: &str, description: &str) -> String {
    let (placed, height) = place(picture);
    let width = 4.0 * WIDTH + 3.0 * GAP;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg class=\"topology\" viewBox=\"-2 0 {:.0} {:.0}\" width=\"{:.0}\" role=\"img\" aria-labelledby=\"topology-title topology-description\">\n\
         <title id=\"topology-title\">{}</title>\n<desc id=\"topology-description\">{}</desc>\n",
        width + 4.0,
        height + 4.0,
        width + 4.0,
        escaped(label),
        escaped(description)
    );
    for (index, column) in Column::ALL.into_iter().enumerate() {
        let x = f64::from(u8::try_from(index).unwrap_or(0)) * (WIDTH + GAP);
        let _ = writeln!(
            out,
            "<text class=\"heading\" x=\"{x:.1}\" y=\"16\">{}</text>",
            column.heading()
        );
    }
    // Lines first, so that boxes and labels lie above them; broken ones last of all lines.
    let mut order: Vec<usize> = (0..picture.lines.len()).collect();
    order.sort_by_key(|l| picture.lines[*l].tone);
    for edge in order.iter().map(|l| &picture.lines[*l]) {
        let (from, to) = (&placed[edge.from], &placed[edge.to]);
        let (x1, y1) = (from.x + WIDTH, from.y + from.height / 2.0);
        let (x2, y2) = (to.x, to.y + to.height / 2.0);
        let bend = (x2 - x1) / 2.0;
        let _ = writeln!(
            out,
            "<path class=\"line {}\" d=\"M{x1:.1} {y1:.1} C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\"/>",
            edge.tone.class(),
            x1 + bend,
            x2 - bend
        );
    }
    for edge in order.iter().map(|l| &picture.lines[*l]) {
        let Some(label) = &edge.label else { continue };
        let (from, to) = (&placed[edge.from], &placed[edge.to]);
        let x = f64::midpoint(from.x + WIDTH, to.x);
        let y = f64::midpoint(from.y + from.height / 2.0, to.y + to.height / 2.0);
        let sign = match edge.tone {
            Tone::Broken => "✕ ",
            Tone::Added => "+ ",
            Tone::Deleted => "− ",
            Tone::Same | Tone::Foreign | Tone::Changed | Tone::Warning => "",
        };
        let text = format!("{sign}{label}");
        #[expect(clippy::cast_precision_loss, reason = "a label is a word")]
        let half = (measure_text_width(&text) as f64).mul_add(3.4, 6.0);
        let _ = writeln!(
            out,
            "<g class=\"label {}\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\" rx=\"9\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></g>",
            edge.tone.class(),
            x - half,
            y - 9.0,
            2.0 * half,
            y + 4.0,
            escaped(&text)
        );
    }
    for one in &placed {
        node(one, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn node(one: &Placed<'_>, out: &mut String) {
    let whole: Vec<&str> = [one.node.title.as_str()]
        .into_iter()
        .chain(one.node.details.iter().map(String::as_str))
        .chain(one.node.state.iter().map(String::as_str))
        .collect();
    let round = match one.node.column {
        Column::Frontend => 22.0_f64.min(one.height / 2.0),
        Column::Rule | Column::Pool | Column::Guest => 6.0,
    };
    let _ = write!(
        out,
        "<g class=\"box {}\"><title>{}</title><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{WIDTH}\" height=\"{:.1}\" rx=\"{round:.1}\"/>",
        one.node.tone.class(),
        escaped(&whole.join(" · ")),
        one.x,
        one.y,
        one.height
    );
    let x = one.x + PAD + 3.0;
    let mut y = one.y + PAD + 12.0;
    for line in &one.title {
        let _ = write!(
            out,
            "<text class=\"title\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(line)
        );
        y += LEADING;
    }
    for line in &one.lines {
        let _ = write!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(line)
        );
        y += LEADING;
    }
    out.push_str("</g>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_wrap_and_end_with_a_sign() {
        assert_eq!(wrapped("one two", 30, 4), ["one two"]);
        let lines = wrapped("broken: address 65.52.0.1/32 is missing on lo", 30, 4);
        assert_eq!(lines, ["broken: address 65.52.0.1/32", "is missing on lo"]);
        let cut = wrapped(&"word ".repeat(60), 30, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
        assert!(wrapped(&"x".repeat(90), 30, 2)[0].ends_with('…'));
    }
}
