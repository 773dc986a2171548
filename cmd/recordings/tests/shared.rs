//! The recordings that come with the project's material: everything goes through.

use plimsoll_recordings::{ReadOnly, of_descriptions, read_folder, replay, report};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure");
    if path.is_dir() {
        return Some(path.join(folder));
    }
    println!("skipped: ../shared is absent");
    None
}

#[test]
fn every_recorded_body_goes_through_without_loss_and_without_a_difference() {
    let Some(folder) = shared("recordings") else {
        return;
    };
    let report = report(&folder).unwrap();
    println!("{report}");
    assert!(report.is_clean(), "{}", report.problems.join("\n"));
    assert!(report.bodies > 500 && report.files > 20, "{report}");
}

#[test]
fn every_difference_between_the_emulator_and_azure_is_explained() {
    let Some(folder) = shared("recordings") else {
        return;
    };
    let mut compared = 0;
    for file in read_folder(&folder).unwrap() {
        for agreement in replay(&file) {
            compared += 1;
            let told = agreement.told(&file.name);
            assert_eq!(
                agreement.differences.is_empty(),
                agreement.reason.is_none(),
                "unexplained, or explained and gone: {told:?} {}",
                agreement.what
            );
        }
    }
    assert!(compared > 100, "{compared} recorded writes");
}

/// The list in the repository is what the descriptions say.
#[test]
fn what_is_read_only_comes_from_the_api_descriptions() {
    let Some(folder) = shared("swagger") else {
        return;
    };
    let mut files = Map::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // `loadBalancer-2024-01-01`
        let name = name.split('-').next().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        files.insert(name, document["definitions"].take());
    }
    let described = of_descriptions(&files);
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        let list =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/azure/read-only.json");
        std::fs::write(list, described.text()).unwrap();
        return;
    }
    assert_eq!(described, ReadOnly::known());
}
