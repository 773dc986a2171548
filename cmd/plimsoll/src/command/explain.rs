//! `explain`: what a code means. Core has the pages; what is found while files are gathered is added here.

use crate::args::ExplainArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{inputs, sources};
use plimsoll_core::explain;
use plimsoll_core::model::diag::did_you_mean;

/// Code, title, text.
type Page = (&'static str, &'static str, &'static str);

/// All codes in order. A new table is one more line here.
fn pages() -> Vec<Page> {
    let core = explain::pages().into_iter();
    let core = core.map(|page| (page.code, page.title, page.text));
    let mut pages: Vec<Page> = sources::CODES
        .iter()
        .chain(inputs::CODES)
        .copied()
        .chain(core)
        .collect();
    pages.sort_unstable();
    pages
}

pub(crate) fn run(context: &Context, arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let pages = pages();
    let Some(asked) = &arguments.code else {
        let titles: Vec<Page> = pages
            .iter()
            .map(|(code, title, _)| (*code, *title, ""))
            .collect();
        context.view.explained(&titles);
        return Ok(Exit::Done);
    };
    let code = asked.trim_matches([',', '[', ']']).to_ascii_uppercase();
    match pages.iter().find(|(known, ..)| *known == code) {
        Some(page) => {
            let source = explain::explain(&code).and_then(|page| page.source);
            let text = match source {
                Some(source) => format!("{} Known from: {source}.", page.2),
                None => page.2.to_owned(),
            };
            context.view.explained(&[(page.0, page.1, &text)]);
            Ok(Exit::Done)
        }
        None => {
            let failure = Failure::new(format!("there is no code {asked}"));
            let failure = match did_you_mean(&code, pages.iter().map(|(known, ..)| *known)) {
                Some(near) => failure.next(format!("Did you mean {near}?")),
                None => failure,
            };
            Err(failure.next("All codes:").next("  plimsoll explain"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let pages = pages();
        assert!(pages.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (code, title, text) in pages {
            assert!(code.len() == 6 && code.starts_with("PL"), "{code}");
            assert!(!title.ends_with('.') && text.ends_with('.'), "{code}");
        }
    }
}
