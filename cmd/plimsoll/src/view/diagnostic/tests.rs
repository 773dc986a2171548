use super::{position, text};
use crate::view::golden::assert_golden;
use crate::view::shown::Told;
use crate::view::{Look, json};
use plimsoll_core::model::{Diagnostic, Span};
use std::path::PathBuf;
use std::sync::Arc;

const SOURCE: &str = "\
load_balancer \"web\" {
  rule \"green\" {
    protocol = \"Tcp\"
  }

  probe \"http\" {
    port = 8080
  }

  rule \"purple\" {
    protocol = \"Tcp\"
  }
}
";

fn told(source: &str, diagnostics: impl FnOnce(&dyn Fn(&str) -> Span) -> Vec<Diagnostic>) -> Told {
    let file: Arc<str> = "web.plim.hcl".into();
    let find = |needle: &str| {
        let start = source.find(needle).unwrap();
        Span::new(Arc::clone(&file), start..start + needle.len())
    };
    Told {
        diagnostics: diagnostics(&find),
        texts: [(Arc::clone(&file), source.into())].into(),
        directory: PathBuf::from("examples/web"),
    }
}

fn two_rules(at: &dyn Fn(&str) -> Span) -> Vec<Diagnostic> {
    let purple = at("rule \"purple\"");
    let line = at("  rule \"purple\" {\n");
    vec![
        Diagnostic::error("PL0101", "two rules produce the same flow")
            .at(purple, "tcp to port 80 of the VM's own address, pool \"vms\"")
            .at(at("rule \"green\""), "the same: tcp, backend port 80, pool \"vms\"")
            .note("without floating IP both rules arrive at the VM's own address, so Azure refuses the second (RulesUseSameBackendPortProtocolAndPool)")
            .patch(
                "let each arrive at its frontend's address",
                Span::new(Arc::clone(&line.file), line.end..line.end),
                "    floating_ip = true\n",
            ),
        Diagnostic::warning("PL0102", "no place").help("look elsewhere"),
    ]
}

#[test]
fn several_places_notes_and_an_edit() {
    assert_golden(
        "diagnostic.txt",
        &text(&told(SOURCE, two_rules), Look::plain(100)),
    );
}

#[test]
fn windows_line_endings_and_a_byte_order_mark_move_nothing() {
    let plain = text(&told(SOURCE, two_rules), Look::plain(100));
    let windows = format!("\u{feff}{}", SOURCE.replace('\n', "\r\n"));
    let there = text(
        &told(&windows, |at| {
            two_rules(&|needle| at(&needle.replace('\n', "\r\n")))
        }),
        Look::plain(100),
    );
    let trimmed = |text: &str| {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trimmed(&there), trimmed(&plain));
    assert!(!there.contains('\r'));
}

#[test]
fn a_span_that_lies_is_moved_into_the_text() {
    let file: Arc<str> = "web.plim.hcl".into();
    for source in ["", "ä", "a = \"ä\"\n", "x"] {
        for (start, end) in [(0, 0), (0, 999), (5, 6), (6, 6), (998, 999), (1, 1)] {
            let told = Told {
                diagnostics: vec![
                    Diagnostic::error("PL0010", "odd")
                        .at(Span::new(Arc::clone(&file), start..end), "here"),
                ],
                texts: [(Arc::clone(&file), source.into())].into(),
                directory: PathBuf::new(),
            };
            assert!(text(&told, Look::plain(80)).contains("error[PL0010]: odd"));
        }
    }
}

#[test]
fn a_place_in_a_file_that_is_not_there_names_the_file() {
    let span = Span::new("gone.plim.hcl".into(), 0..1);
    let told = Told {
        diagnostics: vec![Diagnostic::error("PL0003", "a file cannot be read").at(span, "")],
        ..Told::default()
    };
    assert!(text(&told, Look::plain(80)).contains("gone.plim.hcl"));
}

#[test]
fn a_large_file_shows_only_the_lines_around() {
    let large = format!(
        "{}rule \"x\" {{}}\n{}",
        "# filler\n".repeat(50_000),
        "# filler\n".repeat(50_000)
    );
    let told = told(&large, |at| {
        vec![Diagnostic::error("PL0001", "large").at(at("rule"), "here")]
    });
    let shown = text(&told, Look::plain(80));
    assert!(shown.lines().count() < 20);
    assert!(shown.contains("web.plim.hcl:50001:1"), "{shown}");
}

#[test]
fn lines_and_columns_count_characters_from_one() {
    assert_eq!(position("\u{feff}a = \"ä\" x\nb", 10), (1, 7));
    assert_eq!(position("a\r\nb", 3), (2, 1));
    assert_eq!(position("a", 99), (1, 2));
}

#[test]
fn as_json() {
    let told = told(SOURCE, two_rules);
    assert_golden("diagnostics.json", &json::pretty(&json::diagnostics(&told)));
}
