//! The command line: what was typed, and nothing of what it means.

mod init;
mod lab;
mod look;
mod plan;
mod state;

pub(crate) use init::{InitArguments, InitBackend, InitProtocol};
pub(crate) use lab::LabCommand;
pub(crate) use look::{
    CompletionsArguments, ExplainArguments, FmtArguments, GraphArguments, GraphFormat,
    GuestCommand, ImportArguments, SchemaArguments, ShowArguments, SnapshotArguments,
    TraceArguments,
};
pub(crate) use plan::{
    ApplyArguments, Ask, DestroyArguments, DriftArguments, PlanArguments, RefinementArguments,
    Until,
};
pub(crate) use state::{LockArguments, StateCommand};

use crate::view::markdown::Reader;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Try it without an Azure account, against real network namespaces on this machine:
  plimsoll --lab -C examples/floating-ip apply
  plimsoll --lab -C examples/floating-ip lab probe 65.52.0.1:80 -n 20
  plimsoll --lab -C examples/floating-ip drift

In a pipeline:
  plimsoll plan --out web.plim --detailed-exitcode
  plimsoll show web.plim
  plimsoll apply web.plim

Exit codes: 0 done or nothing to do, 1 error, 2 changes, drift, not formatted or not serving,
3 a guest could not be read, 4 the saved plan is stale, 5 the state is locked, 6 applied in part,
130 interrupted";

/// Plan and apply Azure Load Balancer Floating IP, the guests included
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    after_help = EXAMPLES,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Run as if started in this directory
    #[arg(short = 'C', global = true, value_name = "DIR", default_value = ".", hide_default_value = true, value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,

    /// Set a variable; repeatable, and stronger than files and PLIMSOLL_VAR_name
    #[arg(long = "var", global = true, value_name = "NAME=VALUE")]
    pub(crate) variables: Vec<String>,

    /// Read variables from a file of `name = value` lines, or of JSON; repeatable
    #[arg(long = "var-file", global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) variable_files: Vec<PathBuf>,

    /// Use the lab on this machine instead of Azure
    #[arg(long, global = true)]
    pub(crate) lab: bool,

    /// Colour the output
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, hide_default_value = true)]
    pub(crate) color: Colour,

    /// Say only what must be known: interruptions, deletions, failures, counts
    #[arg(short = 'q', long, global = true)]
    pub(crate) quiet: bool,

    /// Fold nothing: every rule, guest and step by name
    #[arg(short = 'v', long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    /// Talk to this many guests at once; without it, 32, and 16 while writing
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) parallelism: Option<u16>,

    /// Print data as JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a first configuration: ask for it, or take options
    Init(InitArguments),
    /// Check the configuration; reads nothing but its files
    Validate,
    /// Show what would change; writes nothing
    Plan(PlanArguments),
    /// Make it so, in the order expand, switch, contract
    Apply(ApplyArguments),
    /// Take away everything that the state records; public IPs stay
    Destroy(DestroyArguments),
    /// Report what moved since the last apply
    Drift(DriftArguments),
    /// Write the configuration of a load balancer that exists, guests included
    Import(ImportArguments),
    /// Print a saved plan; reads nothing else
    Show(ShowArguments),
    /// Print where each rule's packets arrive inside the guests
    Map,
    /// Follow the packets for one destination and name where they are dropped
    Trace(TraceArguments),
    /// Draw the way of the packets: frontends, rules, pools, guests
    Graph(GraphArguments),
    /// Print the JSON Schema of what a command writes with --json
    Schema(SchemaArguments),
    /// Record masked facts, for a plan without rights
    Snapshot(SnapshotArguments),
    /// Print what a guest must run, to hand it to someone else
    #[command(subcommand)]
    Guest(GuestCommand),
    /// Look into the state, or mend it by hand
    #[command(subcommand)]
    State(StateCommand),
    /// Rewrite the configuration in the canonical format
    Fmt(FmtArguments),
    /// Explain a finding or diagnostic by its code
    Explain(ExplainArguments),
    /// Drive the local lab: emulator, guests and packets
    #[command(subcommand)]
    Lab(LabCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
}

/// Reports in files, beside what is printed.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct ReportArguments {
    /// Write a report in Markdown, short enough for a comment in a pull request
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) markdown: Option<PathBuf>,

    /// Who renders it; without it, the pipeline this runs in, or else GitHub
    #[arg(long, value_enum, value_name = "HOST", requires = "markdown")]
    pub(crate) markdown_for: Option<Reader>,

    /// Write a report as one HTML file that loads nothing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_verb() {
        let parse = |text: &str| Arguments::try_parse_from(text.split(' ')).unwrap().global;
        for text in [
            "plimsoll --lab -C x --json plan",
            "plimsoll plan --lab -C x --json",
            "plimsoll -C x lab --lab status --json",
        ] {
            let global = parse(text);
            assert!(global.lab && global.json, "{text}");
            assert_eq!(global.directory, PathBuf::from("x"));
        }
    }

    #[test]
    fn what_stands_behind_two_dashes_is_the_guests() {
        let parsed =
            Arguments::try_parse_from("plimsoll lab exec vm1 -- ip -json --color a".split(' '));
        let Command::Lab(LabCommand::Exec { guest, command }) = parsed.unwrap().command else {
            panic!("not exec");
        };
        assert_eq!((guest.as_str(), command.len()), ("vm1", 4));
    }

    #[test]
    fn what_was_asked_of_a_plan_is_asked_of_apply_too() {
        let line = "plimsoll plan --target guest.a --exclude guest.b --accept-unready guest.c";
        let Command::Plan(plan) = Arguments::try_parse_from(line.split(' ')).unwrap().command
        else {
            panic!("not plan");
        };
        let typed = plan.refinements.typed();
        assert_eq!(format!("plimsoll plan{typed}"), line);
        let of = |text: &str| RefinementArguments {
            target: vec![text.parse().unwrap()],
            ..RefinementArguments::default()
        };
        assert_eq!(of("guest.vm[\"a\"]").typed(), " --target 'guest.vm[\"a\"]'");
    }

    #[test]
    fn help_is_short_imperative_and_without_a_full_stop() {
        fn check(command: &clap::Command) {
            let about = command
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(!about.is_empty(), "{} has no help", command.get_name());
            assert!(!about.ends_with('.'), "{about}");
            assert!(about.len() <= 80, "{about}");
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
