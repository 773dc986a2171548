//! Gathers the configuration's files. What cannot be read is a diagnostic like any other, with its place and a way out.

use crate::view::Told;
use plimsoll_core::config::SourceSet;
use plimsoll_core::model::{Diagnostic, Span};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// The suffix of every file of a configuration.
pub(crate) const SUFFIX: &str = ".plim.hcl";

/// What `explain` knows of the problems that are found here.
pub(crate) const CODES: &[(&str, &str, &str)] = &[
    (
        NO_CONFIGURATION,
        "no configuration",
        "The directory has no file that ends in .plim.hcl, or is not there. All such files of one directory, without those of its subdirectories, are one configuration. -C names another directory.",
    ),
    (
        UNREADABLE,
        "a file cannot be read",
        "A file of the configuration is there but the system does not let plimsoll read it: its rights, a broken link, or a directory of that name.",
    ),
    (
        NOT_UTF8,
        "a file is not UTF-8",
        "Configurations are texts in UTF-8, with or without a byte order mark, with either kind of line end. Editors on Windows may save UTF-16 or a code page: save the file as UTF-8.",
    ),
];

const NO_CONFIGURATION: &str = "PL0001";
const UNREADABLE: &str = "PL0002";
const NOT_UTF8: &str = "PL0003";

/// The sources, and what is wrong with them. Byte order marks and line ends pass through: spans count them.
pub(crate) fn gather(directory: &Path) -> (SourceSet, Told) {
    let mut set = SourceSet::default();
    let mut told = Told {
        directory: directory.to_path_buf(),
        ..Told::default()
    };
    let names = match names(directory) {
        Ok(names) => names,
        Err(diagnostic) => {
            // The directory itself is the place.
            told.directory.clear();
            told.diagnostics.push(*diagnostic);
            return (set, told);
        }
    };
    for name in names {
        match std::fs::read(directory.join(&name)) {
            Ok(bytes) => take(&name, bytes, &mut set, &mut told),
            Err(error) => told.diagnostics.push(
                Diagnostic::error(UNREADABLE, "a file cannot be read")
                    .at(Span::new(name.as_str().into(), 0..0), "")
                    .note(format!("The system says: {error}."))
                    .help("Make it readable, or give it a name that does not end in .plim.hcl."),
            ),
        }
    }
    (set, told)
}

fn take(name: &str, bytes: Vec<u8>, set: &mut SourceSet, told: &mut Told) {
    let file: Arc<str> = name.into();
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text: Arc<str> = text.into();
            set.files.insert(Arc::clone(&file), Arc::clone(&text));
            told.texts.insert(file, text);
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
            let guess = if wide {
                "It looks like UTF-16: save it as UTF-8."
            } else {
                "Save it as UTF-8; in a shell: iconv -f LATIN1 -t UTF-8."
            };
            told.diagnostics.push(
                Diagnostic::error(NOT_UTF8, "a file is not UTF-8")
                    .at(
                        Span::new(
                            Arc::clone(&file),
                            at..at + char::REPLACEMENT_CHARACTER.len_utf8(),
                        ),
                        "this byte is no part of a UTF-8 character",
                    )
                    .help(guess),
            );
            // Only to show the place: what is before it has the same bytes.
            told.texts
                .insert(file, String::from_utf8_lossy(error.as_bytes()).into());
        }
    }
}

fn names(directory: &Path) -> Result<Vec<String>, Box<Diagnostic>> {
    let place = Span::new(directory.display().to_string().into(), 0..0);
    let wrong = |summary: &str| Diagnostic::error(NO_CONFIGURATION, summary).at(place.clone(), "");
    let entries = std::fs::read_dir(directory).map_err(|error| {
        Box::new(match error.kind() {
            ErrorKind::NotFound => wrong("the directory does not exist")
                .help("Name the directory of the configuration with -C DIR."),
            ErrorKind::NotADirectory => wrong("this is a file, not a directory")
                .help("Name the directory that the file is in: all *.plim.hcl files of a directory are one configuration."),
            _ => Diagnostic::error(UNREADABLE, "the directory cannot be read")
                .at(place.clone(), "")
                .note(format!("The system says: {error}."))
                .help("Make it readable, or name another with -C DIR."),
        })
    })?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // Editors keep locks and unsaved copies under such names.
        .filter(|name| name.ends_with(SUFFIX) && !name.starts_with('.'))
        .collect();
    if names.is_empty() {
        return Err(Box::new(
            wrong("no configuration files")
                .note("A configuration is all files of a directory whose names end in .plim.hcl.")
                .help("Write one, or name the directory of the configuration with -C DIR."),
        ));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(directory.path().join(name), bytes).unwrap();
        }
        directory
    }

    fn codes(told: &Told) -> Vec<&str> {
        told.diagnostics.iter().map(|d| d.code.as_str()).collect()
    }

    #[test]
    fn only_the_directorys_own_configuration_files_are_taken_in_order() {
        let directory = directory(&[
            ("b.plim.hcl", b"b"),
            ("a.plim.hcl", b"a"),
            (".#a.plim.hcl", b"x"),
            ("c.hcl", b"x"),
        ]);
        let (set, told) = gather(directory.path());
        assert_eq!(
            set.files.keys().map(|k| &**k).collect::<Vec<_>>(),
            ["a.plim.hcl", "b.plim.hcl"]
        );
        assert!(told.diagnostics.is_empty());
    }

    #[test]
    fn marks_and_line_ends_pass_through() {
        let text = "\u{feff}a = 1\r\n";
        let directory = directory(&[("a.plim.hcl", text.as_bytes())]);
        assert_eq!(
            &**gather(directory.path()).0.files.values().next().unwrap(),
            text
        );
    }

    #[test]
    fn a_missing_an_empty_and_a_wrong_directory_are_told_apart() {
        let empty = directory(&[("x.hcl", b"")]);
        let missing = empty.path().join("gone");
        let file = empty.path().join("x.hcl");
        for (path, summary) in [
            (empty.path(), "no configuration files"),
            (&missing, "the directory does not exist"),
            (&file, "this is a file, not a directory"),
        ] {
            let (set, told) = gather(path);
            assert!(set.files.is_empty());
            assert_eq!(told.diagnostics[0].summary, summary);
            assert_eq!(
                &*told.diagnostics[0].labels[0].span.file,
                path.display().to_string()
            );
            assert!(!told.diagnostics[0].help.is_empty());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_where_they_are() {
        let directory = directory(&[
            ("a.plim.hcl", b"a = \"\xe4\"\n"),
            ("b.plim.hcl", b"\xff\xfea\0"),
        ]);
        std::fs::create_dir(directory.path().join("c.plim.hcl")).unwrap();
        let (set, told) = gather(directory.path());
        assert!(set.files.is_empty());
        assert_eq!(codes(&told), [NOT_UTF8, NOT_UTF8, UNREADABLE]);
        assert_eq!(told.diagnostics[0].labels[0].span.start, 5);
        assert!(told.diagnostics[1].help[0].text.contains("UTF-16"));
    }
}
