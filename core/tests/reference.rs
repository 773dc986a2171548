//! `docs/reference.md` is what the tables say. `PLIMSOLL_BLESS=1` rewrites it: read its diff.

#![expect(
    clippy::disallowed_methods,
    reason = "the page is a file, and tests may read and write it"
)]

use plimsoll_core::reference::reference;

#[test]
fn the_reference_page_is_what_the_tables_say() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.md");
    let page = reference();
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(file, &page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    let differs = written
        .lines()
        .zip(page.lines())
        .find(|(old, new)| old != new);
    assert!(
        written == page,
        "docs/reference.md is out of date; PLIMSOLL_BLESS=1 rewrites it. First difference: {differs:?}"
    );
}
