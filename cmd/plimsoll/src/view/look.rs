//! How the output may look: decided once, from the command line, the environment and the terminal.

use crate::args::Colour;
use std::io::IsTerminal;

/// What a rendering needs to know of the place where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) colour: bool,
    /// In columns; long lines are folded at it.
    pub(crate) width: usize,
}

impl Look {
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        Self {
            colour: false,
            width,
        }
    }
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What must be known: interruptions, deletions, failures, counts and the next command.
    Quiet,
    #[default]
    Normal,
    /// Nothing folds.
    Verbose,
}

/// Both streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    pub(crate) detail: Detail,
    pub(crate) out: Look,
    pub(crate) err: Look,
    /// Lines may be redrawn: both streams are one terminal that understands it.
    pub(crate) live: bool,
    /// Someone is there to answer.
    pub(crate) asks: bool,
}

/// A file or a pipe has no width: lines stay whole there, so that `grep` finds what it looks for.
const UNKNOWN_WIDTH: usize = usize::MAX;
/// Text that is wider than this is harder to read, however wide the window is.
const WIDEST: usize = 160;
const NARROWEST: usize = 40;

/// The environment variables that speak of colour and of terminals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) no_color: Option<String>,
    pub(crate) clicolor_force: Option<String>,
    pub(crate) term: Option<String>,
    pub(crate) ci: Option<String>,
    pub(crate) columns: Option<String>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let read = |name| std::env::var(name).ok();
        Self {
            no_color: read("NO_COLOR"),
            clicolor_force: read("CLICOLOR_FORCE"),
            term: read("TERM"),
            ci: read("CI"),
            columns: read("COLUMNS"),
        }
    }

    fn is_dumb(&self) -> bool {
        self.term.as_deref() == Some("dumb")
    }

    fn is_ci(&self) -> bool {
        !matches!(self.ci.as_deref(), None | Some("" | "0" | "false"))
    }
}

/// The command line wins; then NO_COLOR, set to anything but nothing; then CLICOLOR_FORCE; then the terminal.
pub(crate) fn colours(asked: Colour, environment: &Environment, terminal: bool) -> bool {
    let set = |value: &Option<String>| value.as_deref().is_some_and(|v| !v.is_empty());
    match asked {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if set(&environment.no_color) => false,
        Colour::Auto
            if set(&environment.clicolor_force)
                && environment.clicolor_force.as_deref() != Some("0") =>
        {
            true
        }
        Colour::Auto => terminal && !environment.is_dumb(),
    }
}

pub(crate) fn decide(asked: Colour, detail: Detail) -> Terminal {
    let environment = Environment::read();
    let out = std::io::stdout().is_terminal();
    let err = std::io::stderr().is_terminal();
    let size = |term: console::Term| term.size_checked().map(|(_, columns)| usize::from(columns));
    let width = |is_terminal: bool, term: console::Term| {
        environment
            .columns
            .as_deref()
            .and_then(|c| c.parse().ok())
            .or_else(|| is_terminal.then(|| size(term)).flatten())
            .map_or(UNKNOWN_WIDTH, |columns: usize| {
                columns.clamp(NARROWEST, WIDEST)
            })
    };
    Terminal {
        detail,
        out: Look {
            colour: colours(asked, &environment, out),
            width: width(out, console::Term::stdout()),
        },
        err: Look {
            colour: colours(asked, &environment, err),
            width: width(err, console::Term::stderr()),
        },
        live: detail != Detail::Quiet
            && out
            && err
            && !environment.is_dumb()
            && !environment.is_ci(),
        asks: err && std::io::stdin().is_terminal(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_decision_about_colour() {
        let plain = Environment::default();
        let no_color = Environment {
            no_color: Some("1".into()),
            ..plain.clone()
        };
        let empty = Environment {
            no_color: Some(String::new()),
            ..plain.clone()
        };
        let forced = Environment {
            clicolor_force: Some("1".into()),
            ..plain.clone()
        };
        let both = Environment {
            clicolor_force: Some("1".into()),
            ..no_color.clone()
        };
        let dumb = Environment {
            term: Some("dumb".into()),
            ..plain.clone()
        };
        assert!(colours(Colour::Auto, &plain, true));
        assert!(!colours(Colour::Auto, &plain, false));
        assert!(!colours(Colour::Auto, &no_color, true));
        assert!(colours(Colour::Auto, &empty, true));
        assert!(colours(Colour::Auto, &forced, false));
        assert!(!colours(Colour::Auto, &both, true));
        assert!(!colours(Colour::Auto, &dumb, true));
        assert!(colours(Colour::Always, &both, false));
        assert!(!colours(Colour::Never, &forced, true));
    }
}
