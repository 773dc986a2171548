use crate::support::{Folder, namespaces};
use std::path::{Path, PathBuf};

pub fn examples() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut found: Vec<PathBuf> = std::fs::read_dir(all)
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let mut files = std::fs::read_dir(path).into_iter().flatten().flatten();
            files.any(|f| f.file_name().to_string_lossy().ends_with(".plim.hcl"))
        })
        .collect();
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

pub fn name(example: &Path) -> String {
    example.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn each_is_formatted_and_valid() {
    for example in examples() {
        let folder = Folder::example(&name(&example));
        folder.real(&["fmt", "--check"], &[]).exits(0);
        folder.real(&["validate"], &[]).exits(0);
    }
}

/// The page shows what `map` prints, in the lab, where every address is known.
#[test]
fn each_page_has_the_map() {
    if !namespaces() {
        return;
    }
    for example in examples() {
        let folder = Folder::example(&name(&example));
        // The lab has no Windows.
        let variables: &[&str] = if name(&example) == "sql-always-on" {
            &["--var", "os=linux"]
        } else {
            &[]
        };
        let map = folder.lab(&[&["map"], variables].concat()).exits(0).stdout;
        let page = std::fs::read_to_string(example.join("README.md")).unwrap();
        assert!(
            page.contains(&format!("```\n{map}```\n")),
            "{}: its page does not show\n{map}",
            name(&example)
        );
    }
}
