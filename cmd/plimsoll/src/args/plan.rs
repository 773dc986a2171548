//! Commands that make a plan: what is wanted of it, and how far it is carried out.

use super::{LockArguments, ReportArguments};
use crate::context::quoted;
use clap::{Args, ValueEnum, ValueHint};
use plimsoll_core::model::Addr;
use plimsoll_core::plan::Refinements;
use std::path::PathBuf;

/// How a plan is made, wherever one is made.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  plimsoll plan                                   what would change, and what that does to traffic
  plimsoll plan --out web.plim                    keep it, to apply exactly this
  plimsoll plan --out web.plim --markdown pr.md   and a comment for the pull request
  plimsoll plan --html plan.html                  and a page with a picture of it
  plimsoll plan --detailed-exitcode               exit 2 when there are changes
  plimsoll plan --json | jq '.counts'             the same for programs (plimsoll schema plan)")]
pub(crate) struct PlanArguments {
    /// Save the plan, to be applied exactly as it is
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// Plan the removal of everything that the state records
    #[arg(long)]
    pub(crate) destroy: bool,

    /// Give up public IP addresses too (with --destroy)
    #[arg(long, requires = "destroy")]
    pub(crate) release_addresses: bool,

    /// Exit with 2 when there are changes
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,

    /// Plan from recorded facts instead of reading Azure, guests and the state
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) snapshot: Option<PathBuf>,

    /// Print the script of each guest too, exactly as it would be sent
    #[arg(long, conflicts_with = "snapshot")]
    pub(crate) show_scripts: bool,

    #[command(flatten)]
    pub(crate) refinements: RefinementArguments,

    #[command(flatten)]
    pub(crate) reports: ReportArguments,
}

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  plimsoll drift                          exit 0 when all is as applied, 2 when something moved
  plimsoll drift --markdown issue.md      and a text for the issue that someone will read
  plimsoll drift --json | jq '.drift[].what'")]
pub(crate) struct DriftArguments {
    /// Which guests to read; each costs a round trip, by Run Command 20 seconds or more
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Ask::All, hide_default_value = true)]
    pub(crate) guests: Ask,

    #[command(flatten)]
    pub(crate) reports: ReportArguments,
}

/// What of a plan is wanted this time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct RefinementArguments {
    /// Only this resource and what it depends on (`guest.vm1`); repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<Addr>,

    /// Not this resource, nor what depends on it; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) exclude: Vec<Addr>,

    /// Go on without this guest while it is not ready: it holds nothing up; repeatable
    #[arg(long, value_name = "GUEST")]
    pub(crate) accept_unready: Vec<Addr>,

    /// Which guests to read; each costs a round trip, by Run Command 20 seconds or more
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Ask::All, hide_default_value = true)]
    pub(crate) guests: Ask,
}

/// Which guests are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ask {
    /// Every guest
    #[default]
    All,
    /// Those for which something changes, as far as Azure and the state tell
    Affected,
    /// No guest: enough where none is affected
    None,
}

impl RefinementArguments {
    /// As they are typed, each with a blank in front, for a command that is proposed.
    pub(crate) fn typed(&self) -> String {
        let options = [
            ("--target", &self.target),
            ("--exclude", &self.exclude),
            ("--accept-unready", &self.accept_unready),
        ];
        let each = options
            .iter()
            .flat_map(|(option, named)| named.iter().map(move |addr| (option, addr)));
        each.map(|(option, addr)| format!(" {option} {}", quoted(&addr.to_string())))
            .chain(match self.guests {
                Ask::All => None,
                Ask::Affected => Some(" --guests affected".to_owned()),
                Ask::None => Some(" --guests none".to_owned()),
            })
            .collect()
    }

    pub(crate) fn refinements(&self) -> Refinements {
        Refinements {
            targets: self.target.clone(),
            excludes: self.exclude.clone(),
            accept_unready: self.accept_unready.iter().cloned().collect(),
        }
    }
}

/// How far an apply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Public IP addresses are there and guests have gained all they need; rules are as before
    Expand,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plimsoll apply                    plan, ask, apply
  plimsoll apply --auto-approve     plan, apply
  plimsoll apply web.plim           apply exactly this plan, or refuse (exit 4) if something moved")]
pub(crate) struct ApplyArguments {
    /// A plan saved by `plan --out`; without it, plan first
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) plan: Option<PathBuf>,

    /// Do not ask
    #[arg(long)]
    pub(crate) auto_approve: bool,

    /// Stop after this phase, so that applications can bind new addresses; apply again to go on
    #[arg(long, value_enum, value_name = "PHASE")]
    pub(crate) until: Option<Until>,

    /// Print the script of each guest first, exactly as it would be sent
    #[arg(long)]
    pub(crate) show_scripts: bool,

    #[command(flatten)]
    pub(crate) refinements: RefinementArguments,

    #[command(flatten)]
    pub(crate) reports: ReportArguments,

    #[command(flatten)]
    pub(crate) lock: LockArguments,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DestroyArguments {
    /// Give up public IP addresses too: Azure will give them to someone else
    #[arg(long)]
    pub(crate) release_addresses: bool,

    /// Do not ask
    #[arg(long)]
    pub(crate) auto_approve: bool,

    #[command(flatten)]
    pub(crate) reports: ReportArguments,

    #[command(flatten)]
    pub(crate) lock: LockArguments,
}
