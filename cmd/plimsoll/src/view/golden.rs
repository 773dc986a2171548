//! What views print, kept beside the code. `PLIMSOLL_BLESS=1 cargo test` writes the files anew; a reviewer reads their diff.

use std::path::PathBuf;

pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/views")
        .join(name);
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} differs from what is kept (PLIMSOLL_BLESS=1 keeps this one):\n{}",
        similar::TextDiff::from_lines(expected.as_str(), actual).unified_diff()
    );
}
