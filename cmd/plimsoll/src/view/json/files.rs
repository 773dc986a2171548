//! What `fmt` did to each file, what each code means, and what a guest must run.

use crate::view::shown::Reformatted;
use plimsoll_core::model::Addr;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

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

/// What a guest must run, for someone else to run it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GuestScript {
    guest: String,
    /// Nothing that the guest needs is missing in the script.
    complete: bool,
    /// What is not known yet, and so not in the script.
    unknown: Vec<String>,
    script: String,
}

pub(super) fn guest_script(guest: &Addr, unknown: &BTreeSet<String>, script: &str) -> GuestScript {
    GuestScript {
        guest: guest.to_string(),
        complete: unknown.is_empty(),
        unknown: unknown.iter().cloned().collect(),
        script: script.to_owned(),
    }
}
