//! Every state that an earlier plimsoll wrote can still be read, and one from the future is left alone.
//!
//! `testdata/states` keeps files of each version as they were written: `finished` after an apply, `unfinished` of a run that
//! was killed while it wrote a load balancer.

#![expect(clippy::disallowed_methods, reason = "the states are files")]

use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::state::{STATE_VERSION, State, StateError};
use std::path::Path;

struct Kept {
    name: String,
    version: u32,
    finished: bool,
    text: String,
}

/// Two of every version that there ever was.
fn kept() -> Vec<Kept> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/states");
    let mut all = Vec::new();
    for version in 1..=STATE_VERSION {
        for (word, finished) in [("finished", true), ("unfinished", false)] {
            let name = format!("v{version}-{word}.json");
            let text = std::fs::read_to_string(folder.join(&name))
                .unwrap_or_else(|error| panic!("testdata/states/{name} is not kept: {error}"));
            all.push(Kept {
                name,
                version,
                finished,
                text,
            });
        }
    }
    all
}

#[test]
fn every_kept_state_is_read_and_written_again_without_loss() {
    for kept in kept() {
        let name = &kept.name;
        let read: serde_json::Value = serde_json::from_str(&kept.text).unwrap();
        assert_eq!(read["version"], kept.version, "{name}");
        let state = State::parse(&kept.text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(state.version, STATE_VERSION, "{name}");
        assert_eq!(state.deployment, "floating-ip", "{name}");
        let web = Addr::new(Kind::LoadBalancer, "web");
        assert!(state.resources.contains_key(&web), "{name}");
        assert_eq!(state.journal.is_none(), kept.finished, "{name}");
        assert_eq!(State::parse(&state.text()).unwrap(), state, "{name}");
        if kept.version == STATE_VERSION {
            let written: serde_json::Value = serde_json::from_str(&state.text()).unwrap();
            assert_eq!(written, read, "{name}: nothing is dropped");
        }
    }
}

#[test]
fn a_state_of_a_version_that_is_yet_to_come_is_refused() {
    let next = STATE_VERSION + 1;
    for Kept { name, text, .. } in kept() {
        let mut forged: serde_json::Value = serde_json::from_str(&text).unwrap();
        forged["version"] = next.into();
        let found = State::parse(&forged.to_string());
        assert!(
            matches!(found, Err(StateError::Newer { found }) if found == next),
            "{name}: {found:?}"
        );
    }
}
