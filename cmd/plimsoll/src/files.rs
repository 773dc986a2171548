//! The files that expressions may read (`file`, `templatefile`, `fileset`), relative to the configuration's directory.

use plimsoll_core::lang::Files;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub(crate) directory: PathBuf,
}

/// A pattern that walks more than this walks the wrong tree.
const MOST: usize = 100_000;

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.directory.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("no file exists at \"{path}\""),
            _ => format!("\"{path}\" cannot be read: {error}"),
        })
    }

    fn exists(&self, path: &str) -> bool {
        self.directory.join(path).is_file()
    }

    fn list(&self, directory: &str, pattern: &str) -> Result<Vec<String>, String> {
        let root = self.directory.join(directory);
        let mut found = Vec::new();
        walk(&root, "", &mut found)
            .map_err(|error| format!("\"{directory}\" cannot be read: {error}"))?;
        let alternatives = alternatives(pattern);
        found.retain(|path| {
            alternatives.iter().any(|pattern| {
                let pattern: Vec<&str> = pattern.split('/').collect();
                let path: Vec<&str> = path.split('/').collect();
                matches(&pattern, &path)
            })
        });
        found.sort();
        Ok(found)
    }

    fn root(&self) -> Option<String> {
        let absolute = std::path::absolute(&self.directory).ok()?;
        absolute.to_str().map(|path| path.replace('\\', "/"))
    }

    fn home(&self) -> Option<String> {
        let home = std::env::home_dir()?;
        home.to_str().map(|path| path.replace('\\', "/"))
    }
}

fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Links to directories are not followed, so that there is no circle to run in.
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), found)?;
        } else if entry.path().is_file() {
            found.push(name);
        }
        if found.len() > MOST {
            return Err(std::io::Error::other(format!(
                "it holds more than {MOST} files"
            )));
        }
    }
    Ok(())
}

/// `a{b,c}` is `ab` and `ac`.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let Some((inside, after)) = rest.split_once('}') else {
        return vec![pattern.to_owned()];
    };
    inside
        .split(',')
        .flat_map(|one| alternatives(&format!("{before}{one}{after}")))
        .collect()
}

/// Segment by segment; `**` is any number of them.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], path) => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
        ([first, pattern @ ..], [segment, path @ ..]) => {
            segment_matches(
                &first.chars().collect::<Vec<_>>(),
                &segment.chars().collect::<Vec<_>>(),
            ) && matches(pattern, path)
        }
        ([], _) | (_, []) => false,
    }
}

fn segment_matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], text) => {
            (0..=text.len()).any(|skip| segment_matches(rest, &text[skip..]))
        }
        (['?', rest @ ..], [_, text @ ..]) => segment_matches(rest, text),
        ([one, rest @ ..], [other, text @ ..]) => one == other && segment_matches(rest, text),
        ([], _) | (_, []) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_as_in_a_shell() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("a/b")).unwrap();
        for name in ["x.json", "y.yaml", "a/z.json", "a/b/w.json"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let files = Beside {
            directory: directory.path().to_path_buf(),
        };
        assert_eq!(files.list(".", "*.json").unwrap(), ["x.json"]);
        assert_eq!(
            files.list(".", "*.{json,yaml}").unwrap(),
            ["x.json", "y.yaml"]
        );
        assert_eq!(
            files.list(".", "**/*.json").unwrap(),
            ["a/b/w.json", "a/z.json", "x.json"]
        );
        assert_eq!(files.list("a", "?.json").unwrap(), ["z.json"]);
        assert!(files.list("gone", "*").is_err());
    }
}
