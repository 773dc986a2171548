//! The exit codes: a pipeline's only sense of what happened.

use std::process::ExitCode;

/// Ordered from the least to the most urgent: when several hold at once, the last of them wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    #[default]
    Done,
    /// Changes, drift, not formatted, not serving.
    Different,
    /// A guest could not be read.
    Unread,
    /// Applied in part.
    Partial,
    /// The state is locked.
    Locked,
    /// The saved plan is stale.
    Stale,
    Error,
    Interrupted,
    /// The code of a command that ran in a guest.
    Passed(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Different => 2,
            Self::Unread => 3,
            Self::Stale => 4,
            Self::Locked => 5,
            Self::Partial => 6,
            Self::Interrupted => 130,
            Self::Passed(code) => code,
        }
    }

    /// This one, if the condition holds.
    pub(crate) fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::Done }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_the_most_urgent_wins() {
        let order: Vec<u8> = {
            let mut all = [
                Exit::Different,
                Exit::Error,
                Exit::Partial,
                Exit::Unread,
                Exit::Locked,
                Exit::Stale,
                Exit::Done,
                Exit::Interrupted,
            ];
            all.sort();
            all.iter().rev().map(|e| e.code()).collect()
        };
        assert_eq!(order, [130, 1, 4, 5, 6, 3, 2, 0]);
    }
}
