use crate::support::{EXAMPLE, Folder, namespaces};
use std::fmt::Write as _;
use std::path::Path;

const WIDTH: usize = 150;
const LINE: f64 = 18.0;
const LETTER: f64 = 8.4;

/// The README's picture of a session is a session: these commands, run in the lab, with their own colours.
#[test]
fn the_picture_of_a_session_is_one() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    let mut screen = String::new();
    folder.apply();
    for (typed, arguments, code) in [
        ("map", &["map"][..], 0),
        (
            "lab exec vm1 -- ip addr del 65.52.0.1/32 dev lo",
            &[
                "lab",
                "exec",
                "vm1",
                "--",
                "ip",
                "addr",
                "del",
                "65.52.0.1/32",
                "dev",
                "lo",
            ],
            0,
        ),
        ("drift", &["drift"], 2),
        ("trace 65.52.0.1:80", &["trace", "65.52.0.1:80"], 2),
    ] {
        let output = folder
            .command()
            .env_remove("NO_COLOR")
            .env("COLUMNS", WIDTH.to_string())
            .args(["--color", "always", "--lab"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{typed}");
        writeln!(screen, "\u{1b}[1m$ plimsoll --lab {typed}\u{1b}[0m").unwrap();
        screen += &String::from_utf8_lossy(&output.stdout);
        screen.push('\n');
    }
    let svg = svg(&screen);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/session.svg");
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(&file, &svg).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == svg,
        "docs/session.svg is not what a session looks like any more; write it anew with `cargo xtask bless`"
    );
}

#[derive(Clone, Copy, Default)]
struct Pen {
    bold: bool,
    faint: bool,
    colour: Option<&'static str>,
}

/// One SVG with a text element for each run of one colour. The letters are the reader's own monospaced ones.
fn svg(screen: &str) -> String {
    let rows: Vec<&str> = screen.trim_end().lines().collect();
    let width = LETTER * (WIDTH as f64 + 4.0);
    let height = LINE * (rows.len() as f64 + 2.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"A session of plimsoll in a terminal\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16191d\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d7dce2\">\n"
    );
    for (row, line) in rows.iter().enumerate() {
        let y = LINE * (row as f64 + 1.8);
        let mut column = 0;
        let mut pen = Pen::default();
        for (index, part) in line.split("\u{1b}[").enumerate() {
            let text = if index == 0 {
                part
            } else {
                let (codes, text) = part.split_once('m').unwrap_or(("", part));
                codes.split(';').for_each(|code| turn(&mut pen, code));
                text
            };
            let letters = text.chars().count();
            if !text.trim().is_empty() {
                let x = LETTER * (column as f64 + 2.0);
                let mut style = String::new();
                if let Some(colour) = pen.colour {
                    style += &format!(" fill=\"{colour}\"");
                }
                if pen.bold {
                    style += " font-weight=\"600\"";
                }
                if pen.faint {
                    style += " opacity=\"0.6\"";
                }
                let length = LETTER * letters as f64;
                writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\"{style}>{}</text>",
                    // Blanks that nobody folds.
                    text.replace('&', "&amp;")
                        .replace('<', "&lt;")
                        .replace(' ', "\u{a0}")
                )
                .unwrap();
            }
            column += letters;
        }
    }
    out + "</g>\n</svg>\n"
}

fn turn(pen: &mut Pen, code: &str) {
    match code {
        "0" | "" => *pen = Pen::default(),
        "1" => pen.bold = true,
        "2" => pen.faint = true,
        "31" => pen.colour = Some("#ff7b72"),
        "32" => pen.colour = Some("#7ee787"),
        "33" => pen.colour = Some("#e3b341"),
        _ => {}
    }
}
