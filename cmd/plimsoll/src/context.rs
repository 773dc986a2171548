//! What every command is given: the global options, the view, and the words to call plimsoll again.

use crate::args::Global;
use crate::host::Host;
use crate::view::human::Human;
use crate::view::json::Json;
use crate::view::{self, Detail, Terminal, View};
use std::path::{Path, PathBuf};

pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) terminal: Terminal,
    pub(crate) host: Host,
    pub(crate) view: Box<dyn View>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        let detail = match (global.quiet, global.verbose) {
            (true, _) => Detail::Quiet,
            (false, true) => Detail::Verbose,
            (false, false) => Detail::Normal,
        };
        let terminal = view::decide(global.color, detail);
        let human = Human { terminal };
        let view: Box<dyn View> = if global.json {
            Box::new(Json { human })
        } else {
            Box::new(human)
        };
        Self {
            global,
            terminal,
            host: Host::here(),
            view,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.global.directory
    }

    /// A path as it was typed, seen from the directory that `-C` names.
    pub(crate) fn path(&self, typed: &Path) -> PathBuf {
        if self.global.directory.as_os_str() == "." {
            typed.to_path_buf()
        } else {
            self.global.directory.join(typed)
        }
    }

    /// The same call with another verb. Values of variables may be secret: they are not repeated.
    pub(crate) fn call(&self, verb: &str) -> String {
        let mut words = vec!["plimsoll".to_owned()];
        if self.global.lab {
            words.push("--lab".to_owned());
        }
        if self.global.directory.as_os_str() != "." {
            words.push("-C".to_owned());
            words.push(quoted(&self.global.directory.display().to_string()));
        }
        for file in &self.global.variable_files {
            words.push("--var-file".to_owned());
            words.push(quoted(&file.display().to_string()));
        }
        for variable in &self.global.variables {
            let name = variable
                .split_once('=')
                .map_or(variable.as_str(), |(name, _)| name);
            words.push(format!("--var {}", quoted(&format!("{name}=…"))));
        }
        words.push(verb.to_owned());
        words.join(" ")
    }
}

/// For a shell: quoted only where it must be.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+…".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::Parser;

    #[test]
    fn the_next_command_repeats_the_place_and_no_secret() {
        let line = [
            "plimsoll",
            "--lab",
            "-C",
            "my dir",
            "--var",
            "password=hunter2",
            "plan",
        ];
        let context = Context::new(Arguments::try_parse_from(line).unwrap().global);
        assert_eq!(
            context.call("apply"),
            "plimsoll --lab -C 'my dir' --var password=… apply"
        );
        assert_eq!(
            context.path(Path::new("x.plim")),
            PathBuf::from("my dir/x.plim")
        );
        assert_eq!(context.path(Path::new("/x.plim")), PathBuf::from("/x.plim"));
    }
}
