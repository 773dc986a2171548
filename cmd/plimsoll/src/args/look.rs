//! Commands that change neither Azure nor a guest, but for `plan` and `drift`.

use super::{Ask, ReportArguments};
use crate::view::json::Described;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArguments {
    /// The load balancer's id: /subscriptions/…/loadBalancers/NAME
    #[arg(value_name = "LOAD_BALANCER_ID")]
    pub(crate) id: String,

    /// Which guests to ask who holds each frontend's address (none: every member shall)
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Ask::All, hide_default_value = true)]
    pub(crate) guests: Ask,

    /// Write into this directory instead of standard output
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArguments {
    /// A plan saved by `plan --out`
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,

    #[command(flatten)]
    pub(crate) reports: ReportArguments,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plimsoll graph | dot -Tsvg > web.svg        the configuration, drawn by Graphviz
  plimsoll graph --format mermaid             for a Markdown file
  plimsoll graph web.plim                     a saved plan: what it adds, changes and deletes")]
pub(crate) struct GraphArguments {
    /// A plan saved by `plan --out`; without it, the configuration
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) plan: Option<PathBuf>,

    /// The language of the picture
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = GraphFormat::Dot)]
    pub(crate) format: GraphFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    #[default]
    Dot,
    Mermaid,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plimsoll trace 65.52.0.1:80
  plimsoll trace 65.52.0.2:53/udp
  plimsoll trace '[2001:db8::1]:443'
  plimsoll trace 65.52.0.1:80 65.52.0.2:80    each, after reading once
  plimsoll trace 65.52.0.1:80 --desired    as it will be once the configuration is applied

Exit codes: 0 every member that should serve does, 2 it does not serve, 3 something could not be read")]
pub(crate) struct TraceArguments {
    /// For example 65.52.0.1:80, 65.52.0.2:53/udp or [2001:db8::1]:80
    #[arg(value_name = "IP:PORT[/PROTOCOL]", required = true)]
    pub(crate) destinations: Vec<String>,

    /// Trace the configuration as if it were applied, with the listeners that are there now
    #[arg(long)]
    pub(crate) desired: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plimsoll snapshot --out facts.json       a job with rights, on a schedule
  plimsoll plan --snapshot facts.json      a pull request of a fork, or no network")]
pub(crate) struct SnapshotArguments {
    /// Write into this file instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  plimsoll guest script vm1 > vm1.sh                   for whoever may be root there
  plimsoll guest script vm1 --undo > vm1-undo.sh       takes it away again
  plimsoll guest script web > /var/lib/cloud/scripts/per-boot/plimsoll.sh")]
pub(crate) enum GuestCommand {
    /// Print the script that makes a machine hold what its rules need
    #[command(after_help = "\
The guest is not asked: the script itself finds out which firewall the machine has, and what its
own address is. It does nothing twice, so that it may run at each boot, and `apply` takes over what
it made. Notes go to standard error.

Exit codes: 0 the script is whole, 3 some of what the guest needs is not known yet and missing in it")]
    Script {
        /// As in the configuration: vm1, or guest.web["a"]
        #[arg(value_name = "GUEST")]
        guest: String,
        /// Print the script that takes it all away again
        #[arg(long)]
        undo: bool,
    },
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plimsoll schema plan > plan.schema.json
  plimsoll plan --json > plan.json && check-jsonschema --schemafile plan.schema.json plan.json")]
pub(crate) struct SchemaArguments {
    /// Which document
    #[arg(value_enum, value_name = "DOCUMENT")]
    pub(crate) of: Described,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct FmtArguments {
    /// Change nothing; exit with 2 if a file is not formatted
    #[arg(long)]
    pub(crate) check: bool,

    /// Show what changes
    #[arg(long)]
    pub(crate) diff: bool,

    /// The files; `-` is standard input. Without any: all *.plim.hcl of the directory
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArguments {
    /// For example PL0101; without it, list all
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell to complete in
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
