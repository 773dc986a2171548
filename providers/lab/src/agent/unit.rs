//! systemd unit files, as far as a boot from files needs them: the commands of oneshot services,
//! their order, and the targets that want them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where units are looked for, the administrator's first.
const SEARCH: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    pub oneshot: bool,
    pub commands: Vec<ExecStart>,
    pub after: Vec<String>,
    pub before: Vec<String>,
    pub wanted_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExecStart {
    /// A leading `-`: failure does not count.
    pub may_fail: bool,
    pub words: Vec<String>,
}

/// The file of a unit, if there is one.
pub(super) fn find(root: &Path, name: &str) -> Option<PathBuf> {
    SEARCH
        .iter()
        .map(|folder| root.join(folder.trim_start_matches('/')).join(name))
        .find(|path| path.exists())
}

pub(super) fn read(path: &Path) -> Result<Unit, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("Cannot read {}: {error}", path.display()))?;
    Ok(parse(&text))
}

pub(super) fn parse(text: &str) -> Unit {
    let mut unit = Unit::default();
    let mut section = String::new();
    for line in logical_lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.to_owned();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let names = || value.split_whitespace().map(str::to_owned);
        match (section.as_str(), key.trim()) {
            ("Unit", "After") => unit.after.extend(names()),
            ("Unit", "Before") => unit.before.extend(names()),
            ("Install", "WantedBy") => unit.wanted_by.extend(names()),
            ("Service", "Type") => unit.oneshot = value == "oneshot",
            // An empty assignment empties the list (systemd.service(5)).
            ("Service", "ExecStart") if value.is_empty() => unit.commands.clear(),
            ("Service", "ExecStart") => unit.commands.extend(command(value)),
            _ => {}
        }
    }
    unit
}

/// Joins lines that end in a backslash.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        let (content, goes_on) = match line.strip_suffix('\\') {
            Some(content) => (content, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some(last) if continues => {
                last.push(' ');
                last.push_str(content);
            }
            _ => lines.push(content.to_owned()),
        }
        continues = goes_on;
    }
    lines
}

fn command(value: &str) -> Option<ExecStart> {
    let program = value.trim_start_matches(['-', '@', ':', '+', '!']);
    let prefix = &value[..value.len() - program.len()];
    let mut words = split(program);
    if prefix.contains('@') && words.len() > 1 {
        // The second word is what the program shall see as its own name; the lab does without.
        words.remove(1);
    }
    (!words.is_empty()).then(|| ExecStart {
        may_fail: prefix.contains('-'),
        words,
    })
}

/// Splits as systemd does (systemd.syntax(7), "Quoting"): quotes anywhere, C escapes, no shell.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => {
                let escaped = match characters.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('s') => ' ',
                    Some(other) => other,
                    None => '\\',
                };
                word.get_or_insert_default().push(escaped);
            }
            (_, Some(open)) if character == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, None) if character.is_whitespace() => words.extend(word.take()),
            // `%%` and `$$` are a literal % and $; other specifiers and variables the lab leaves alone.
            ('%' | '$', _) if characters.peek() == Some(&character) => {
                characters.next();
                word.get_or_insert_default().push(character);
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// Sorts units so that each comes after those that it names in `After=` (and before those in `Before=`).
pub(super) fn in_order(mut units: Vec<(String, Unit)>) -> Vec<(String, Unit)> {
    units.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut ordered: Vec<(String, Unit)> = Vec::new();
    while !units.is_empty() {
        let waits = |name: &str, unit: &Unit| {
            units.iter().any(|(other, its)| {
                other != name
                    && (unit.after.contains(other) || its.before.iter().any(|it| it == name))
            })
        };
        // A cycle has no first member; systemd breaks it somewhere too.
        let next = units
            .iter()
            .position(|(name, unit)| !waits(name, unit))
            .unwrap_or(0);
        ordered.push(units.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_oneshot_service_is_read() {
        let unit = parse(
            "# comment\n[Unit]\nAfter=a.service b.service\nBefore=network.target\n\
             [Service]\nType=oneshot\nExecStart=/never\nExecStart=\n\
             ExecStart=-/sbin/ip addr replace \\\n  65.52.0.1/32 dev lo\n\
             ExecStart=/bin/sh -c 'nft -f - <<X; echo \"a b\" $$x 100%%'\n\
             [Install]\nWantedBy=multi-user.target\n",
        );
        assert!(unit.oneshot);
        assert_eq!(unit.after, ["a.service", "b.service"]);
        assert_eq!(unit.wanted_by, ["multi-user.target"]);
        assert_eq!(unit.commands.len(), 2);
        assert!(unit.commands[0].may_fail);
        assert_eq!(
            unit.commands[0].words,
            ["/sbin/ip", "addr", "replace", "65.52.0.1/32", "dev", "lo"]
        );
        assert_eq!(
            unit.commands[1].words,
            ["/bin/sh", "-c", "nft -f - <<X; echo \"a b\" $x 100%"]
        );
    }

    #[test]
    fn order_follows_after_and_before_and_survives_a_cycle() {
        let unit = |after: &[&str], before: &[&str]| Unit {
            after: after.iter().map(ToString::to_string).collect(),
            before: before.iter().map(ToString::to_string).collect(),
            ..Unit::default()
        };
        let order = |units: Vec<(String, Unit)>| -> Vec<String> {
            in_order(units).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(
            order(vec![
                ("a".into(), unit(&["b"], &[])),
                ("b".into(), unit(&[], &[])),
                ("c".into(), unit(&[], &["b"]))
            ]),
            ["c", "b", "a"]
        );
        assert_eq!(
            order(vec![
                ("a".into(), unit(&["b"], &[])),
                ("b".into(), unit(&["a"], &[]))
            ])
            .len(),
            2
        );
    }
}
