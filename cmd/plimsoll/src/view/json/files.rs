//! What `fmt` did to each file, and what each code means.

use crate::view::shown::Reformatted;
use schemars::JsonSchema;
use serde::Serialize;

/// What `fmt` found in each file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Fmt {
    files: Vec<File>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct File {
    file: String,
    /// It was in the canonical format before.
    formatted: bool,
    /// It was rewritten.
    written: bool,
}

pub(super) fn fmt(files: &[Reformatted], check: bool) -> Fmt {
    Fmt {
        files: files
            .iter()
            .map(|f| File {
                file: f.file.clone(),
                formatted: f.before == f.after,
                written: !check && f.before != f.after,
            })
            .collect(),
    }
}

/// What each code means.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explanations {
    codes: Vec<Explanation>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explanation {
    code: String,
    title: String,
    text: String,
}

pub(super) fn explanations(pages: &[(&str, &str, &str)]) -> Explanations {
    Explanations {
        codes: pages
            .iter()
            .map(|(code, title, text)| Explanation {
                code: (*code).to_owned(),
                title: (*title).to_owned(),
                text: (*text).to_owned(),
            })
            .collect(),
    }
}
