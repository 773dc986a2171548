//! Every state that an earlier plimsoll wrote can still be read, and one from the future is left alone.
//!
//! `testdata/states` keeps files as they were written: `v1-finished` after an apply, `v1-unfinished` of a run that was
//! killed while it wrote a load balancer. When the format changes, the last files of the old one are added there.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the states are files, and a test may stop at once"
)]

use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::state::{STATE_VERSION, State, StateError};
use std::path::Path;

fn kept() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/states");
    let mut kept: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    kept.sort();
    kept
}

#[test]
fn every_kept_state_is_read_and_written_again_without_loss() {
    let kept = kept();
    assert!(kept.len() >= 2);
    for (name, text) in kept {
        let state = State::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(state.deployment, "floating-ip", "{name}");
        let web = Addr::new(Kind::LoadBalancer, "web");
        assert!(state.resources.contains_key(&web), "{name}");
        assert_eq!(
            state.journal.is_some(),
            name.contains("unfinished"),
            "{name}"
        );
        assert_eq!(State::parse(&state.text()).unwrap(), state, "{name}");
        if name.starts_with(&format!("v{STATE_VERSION}-")) {
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            let written: serde_json::Value = serde_json::from_str(&state.text()).unwrap();
            assert_eq!(written, read, "{name}: nothing is dropped");
        }
    }
}

#[test]
fn a_state_of_a_version_that_is_yet_to_come_is_refused() {
    let next = STATE_VERSION + 1;
    for (name, text) in kept() {
        let forged = text.replacen("\"version\": 1", &format!("\"version\": {next}"), 1);
        assert_ne!(forged, text, "{name}");
        let found = State::parse(&forged);
        assert!(
            matches!(found, Err(StateError::Newer { found }) if found == next),
            "{name}: {found:?}"
        );
    }
}
