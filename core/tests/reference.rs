//! `docs/reference.md` is what the tables say. `PLIMSOLL_BLESS=1` rewrites it: read its diff.

#![expect(
    clippy::disallowed_methods,
    reason = "the page is a file, and tests may read and write it"
)]

use plimsoll_core::model::ItemKind;
use plimsoll_core::model::schema::{LOAD_BALANCER, OnChange, PUBLIC_IP, PUBLIC_IP_PREFIX};
use plimsoll_core::reference::reference;
use regex::Regex;
use std::collections::BTreeSet;

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

/// Renamed on the way to version 5 of the provider, so both names are searched for.
const BOTH_GENERATIONS: [(&str, &[&str]); 3] = [
    (
        "floating_ip",
        &["floating_ip_enabled", "enable_floating_ip"],
    ),
    (
        "enable_tcp_reset",
        &["tcp_reset_enabled", "enable_tcp_reset"],
    ),
    (
        "backend_pools",
        &["backend_address_pool_ids", "backend_address_pool_id"],
    ),
];

/// What azurerm has no argument for.
const ONLY_IN_AZURE: [&str; 1] = ["no_healthy_backends_behavior"];

#[test]
fn every_attribute_has_its_row_with_all_its_names() {
    let page = reference();
    let items = ItemKind::ALL.map(|kind| (kind.word(), kind.attributes()));
    let tables = [
        ("public_ip_prefix", PUBLIC_IP_PREFIX),
        ("public_ip", PUBLIC_IP),
        ("load_balancer", LOAD_BALANCER),
    ];
    // Two kinds may each have an attribute of one name.
    let section = |of: &str| {
        let headings = [format!("{of}\n"), format!("load_balancer › {of}\n")];
        let mut sections = page.split("\n### ");
        let found = sections.find(|s| headings.iter().any(|heading| s.starts_with(heading)));
        found.unwrap_or_else(|| panic!("{of} has no section"))
    };
    for (of, attribute) in tables
        .into_iter()
        .chain(items)
        .flat_map(|(of, table)| table.iter().map(move |attribute| (of, attribute)))
    {
        let name = attribute.name;
        let row = section(of).lines().find(|line| {
            line.starts_with(&format!("| `{name}` | `{}` |", attribute.arm))
                && attribute.azurerm.iter().all(|word| line.contains(word))
        });
        let row = row.unwrap_or_else(|| panic!("{of}.{name} has no row"));
        assert!(!attribute.about.is_empty(), "{of}.{name}: {row}");
        let replaces = attribute.on_change == OnChange::Replace;
        assert_eq!(row.contains("**A change replaces.**"), replaces, "{row}");
        assert_eq!(
            attribute.azurerm.is_empty(),
            ONLY_IN_AZURE.contains(&name),
            "{of}.{name}: {row}"
        );
        for (_, names) in BOTH_GENERATIONS.iter().filter(|(known, _)| *known == name) {
            assert_eq!(attribute.azurerm, *names, "{of}.{name}");
        }
    }
}

/// What the decoders ask for by name is on the page, whichever block it is of.
#[test]
fn no_attribute_of_the_language_is_left_out() {
    let page = reference();
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config");
    let asked = Regex::new(r#"(?:\.attribute|own|string|seconds)\((?:\w+, )?"(\w+)""#).unwrap();
    let listed = Regex::new(r#"(?s)(?:expect_attributes\(\s*&\[|const (?:ATTRIBUTES|KNOWN|OF_RESOURCES): &\[&str\] = &\[)(.*?)\]"#).unwrap();
    let word = Regex::new(r#""(\w+)""#).unwrap();
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        // The first two write configurations, and the last one knows the blocks.
        let generates = ["generate.rs", "scaffold.rs", "module.rs"]
            .iter()
            .any(|name| path.ends_with(name));
        if generates || path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let asked = asked.captures_iter(code).map(|found| found[1].to_owned());
        let listed = listed.captures_iter(code).flat_map(|list| {
            let words = word.captures_iter(list.get(1).map_or("", |list| list.as_str()));
            words.map(|found| found[1].to_owned()).collect::<Vec<_>>()
        });
        names.extend(asked.chain(listed));
    }
    assert!(names.len() > 40, "{names:?}");
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}
