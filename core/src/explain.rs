//! Pages for `plimsoll explain`: every code that core reports, in order.

use crate::model::{Code, Severity};
use crate::{config, lang, plan};

/// What is said of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub code: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    pub text: &'static str,
    /// Where it is known from: a page of Azure's, an error text, a guide.
    pub source: Option<&'static str>,
}

/// The tables in the order of their codes.
fn codes() -> impl Iterator<Item = &'static Code> {
    lang::codes::ALL
        .iter()
        .chain(config::codes::ALL)
        .chain(config::checks::codes::ALL)
        .chain(plan::codes::ALL)
}

pub(crate) fn code(code: &str) -> Option<&'static Code> {
    codes().find(|row| row.code == code)
}

pub fn pages() -> Vec<Page> {
    let mut pages: Vec<Page> = codes().map(page).collect();
    pages.sort_unstable_by_key(|page| page.code);
    pages
}

/// The page of a code, however it was typed: `pl0101`, `error[PL0101]`.
pub fn explain(asked: &str) -> Option<Page> {
    let asked = asked.to_ascii_uppercase();
    let start = asked.find("PL")?;
    let asked = asked.get(start..start + 6)?;
    code(asked).map(page)
}

fn page(row: &Code) -> Page {
    Page {
        code: row.code,
        severity: row.severity,
        title: row.title,
        text: row.explanation,
        source: row.source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_well_formed() {
        let pages = pages();
        for pair in pages.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} twice", pair[1].code);
        }
        for page in &pages {
            assert!(
                page.code.len() == 6 && page.code.starts_with("PL"),
                "{page:?}"
            );
            assert!(
                !page.title.ends_with('.') && page.text.ends_with('.'),
                "{page:?}"
            );
            assert!(!page.text.contains("  "), "{page:?}");
        }
    }

    #[test]
    fn checks_name_their_source() {
        for page in config::checks::codes::ALL.iter().chain(plan::codes::ALL) {
            assert!(page.source.is_some(), "{}", page.code);
        }
    }

    #[test]
    fn a_code_is_found_as_it_is_copied_from_a_terminal() {
        for asked in ["PL0101", "pl0101", "error[PL0101]", "PL0101,"] {
            assert_eq!(explain(asked).map(|p| p.code), Some("PL0101"), "{asked}");
        }
        for asked in ["", "PL", "PL9999", "0101", "PLäöü"] {
            assert_eq!(explain(asked), None, "{asked}");
        }
    }
}
