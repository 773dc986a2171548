//! The command line: what was typed, and nothing of what it means.

use crate::context::quoted;
use crate::view::json::Described;
use crate::view::markdown::Reader;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use plimsoll_core::model::Addr;
use plimsoll_core::plan::Refinements;
use std::path::PathBuf;
use std::time::Duration;

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

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  plimsoll init                                          ask, on a terminal
  plimsoll -C web init --port 80 --guest vm1 --guest vm2
  plimsoll -C sql init --subnet /subscriptions/…/subnets/sql --address 10.0.0.100 --port 1433 --windows
  plimsoll -C old init --load-balancer /subscriptions/…/loadBalancers/web    from what exists")]
pub(crate) struct InitArguments {
    /// Begin with a load balancer that exists, guests included; the other options do not count then
    #[arg(long, value_name = "ID")]
    pub(crate) load_balancer: Option<String>,

    /// 1 to 32 letters a-z, digits and hyphens; without it, the directory's name
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment: Option<String>,

    /// The Azure subscription; without it, ARM_SUBSCRIPTION_ID
    #[arg(long, value_name = "ID")]
    pub(crate) subscription: Option<String>,

    #[arg(
        long,
        value_name = "NAME",
        help = "The resource group of all that is made"
    )]
    pub(crate) resource_group: Option<String>,

    /// The Azure region, for example westeurope
    #[arg(long, value_name = "REGION")]
    pub(crate) location: Option<String>,

    /// An internal load balancer in this subnet, instead of a public one
    #[arg(long, value_name = "SUBNET_ID")]
    pub(crate) subnet: Option<String>,

    /// The address of its frontend
    #[arg(long, value_name = "IP", requires = "subnet")]
    pub(crate) address: Option<String>,

    /// The port that clients use, and the guests serve
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,

    #[arg(long, value_enum, default_value_t = InitProtocol::Tcp, help = "What clients speak")]
    pub(crate) protocol: InitProtocol,

    /// Where the health probe asks, on the VM's own address
    #[arg(long, value_name = "PORT")]
    pub(crate) probe_port: Option<u16>,

    /// A virtual machine behind it; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) guest: Vec<String>,

    /// The guests run Windows
    #[arg(long)]
    pub(crate) windows: bool,

    #[arg(long, value_enum, default_value_t = InitBackend::Local, help = "Where the state is kept")]
    pub(crate) backend: InitBackend,

    /// The storage account of the azblob backend
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,

    /// The container of the azblob backend
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitProtocol {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitBackend {
    Local,
    Azblob,
}

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

    /// Print the script of each guest before asking; of a saved plan, plan prints them
    #[arg(long, conflicts_with = "plan")]
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

/// How long to wait for a state that is locked.
#[derive(Clone, Debug, Args)]
pub(crate) struct LockArguments {
    /// Wait up to this long for a locked state, for example 90s or 5m; without it, refuse at once
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lock_timeout: Option<Duration>,
}

impl LockArguments {
    pub(crate) fn patience(&self) -> Duration {
        self.lock_timeout.unwrap_or_default()
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| DURATION.to_owned())?;
    let seconds = match &text[digits.len()..] {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        _ => None,
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| DURATION.to_owned())
}

const DURATION: &str = "write a time such as 90s or 5m";

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArguments {
    /// The load balancer's id: /subscriptions/…/loadBalancers/NAME
    #[arg(value_name = "LOAD_BALANCER_ID")]
    pub(crate) id: String,

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

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  plimsoll state list
  plimsoll state show                       who applied what, who holds the lock, what is unfinished
  plimsoll state show load_balancer.web.rule.green
  plimsoll state rm guest.old               forget it; what it is stays as it is
  plimsoll state mv guest.a guest.b
  plimsoll state pull > copy.json
  plimsoll state push copy.json
  plimsoll state unlock                     take the lock of a run that died")]
pub(crate) enum StateCommand {
    /// List what is recorded, one address a line
    List,
    /// Show what is recorded of one resource; without an address, of the state itself
    Show {
        #[arg(value_name = "ADDRESS")]
        part: Option<String>,
    },
    /// Forget resources; neither Azure nor guests are touched
    Rm {
        #[arg(value_name = "ADDRESS", required = true)]
        parts: Vec<String>,
        /// Only say what would be forgotten
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Give a resource another address; neither Azure nor guests are touched
    Mv {
        #[arg(value_name = "FROM")]
        from: String,
        #[arg(value_name = "TO")]
        to: String,
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Print the state as it is kept
    Pull {
        /// The serial before the last instead
        #[arg(long)]
        backup: bool,
    },
    /// Put a file in the state's place; refuses another lineage or an older serial
    Push {
        /// The file; `-` is standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Whatever is there now
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Take the lock away from a run that died
    Unlock {
        /// Do not ask
        #[arg(long)]
        force: bool,
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

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  plimsoll -C examples/floating-ip lab up
  plimsoll -C examples/floating-ip lab probe 65.52.0.1:80 -n 20
  plimsoll -C examples/floating-ip lab exec vm1 -- ip addr del 65.52.0.1/32 dev lo
  plimsoll -C examples/floating-ip lab reboot vm1
  plimsoll -C examples/floating-ip lab fault slow=2s
  plimsoll -C examples/floating-ip lab reset")]
pub(crate) enum LabCommand {
    /// Start the lab and its guests
    Up {
        /// The emulator's port on 127.0.0.1; without it, a free one
        #[arg(long)]
        port: Option<u16>,
    },
    /// Stop the lab; what it holds stays for the next start
    Down,
    /// Show the emulator's endpoint and the guests
    Status,
    /// Stop the lab and remove everything it holds, its state included
    Reset,
    /// Run a command inside a guest and exit with its exit code
    Exec {
        guest: String,
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Run a command where the clients are and exit with its exit code
    #[command(after_help = "\
Example:
  plimsoll lab client -- curl -s http://65.52.0.1/")]
    Client {
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Reboot a guest: what is not persisted is gone, then it boots
    Reboot { guest: String },
    /// Leave ports of a guest to an application of yours
    #[command(after_help = "\
The lab answers in each guest on every port that a rule or a probe names. To try an application of your own there:
  plimsoll lab silence vm1 443 53/udp
  plimsoll lab exec vm1 -- nginx -c /root/nginx.conf")]
    Silence {
        guest: String,
        /// For example 443 or 53/udp
        #[arg(required = true, value_name = "PORT[/PROTOCOL]")]
        ports: Vec<String>,
        /// Let the lab answer on them again
        #[arg(long)]
        undo: bool,
    },
    /// Lead what a guest sends to a prefix through a frontend, by a user-defined route
    #[command(after_help = "\
Example, with an HA-ports rule on the frontend 10.0.0.200:
  plimsoll lab route spoke1 203.0.113.0/24 10.0.0.200")]
    Route {
        guest: String,
        #[arg(value_name = "PREFIX")]
        prefix: ipnet::IpNet,
        #[arg(value_name = "FRONTEND_IP")]
        next_hop: std::net::IpAddr,
    },
    /// Send real packets from a client and show who answered
    Probe {
        /// For example 65.52.0.1:80, 65.52.0.2:53/udp or [2001:db8::1]:80
        #[arg(value_name = "IP:PORT[/PROTOCOL]")]
        destination: String,
        /// How many connections to open
        #[arg(short, default_value_t = 10, value_name = "N")]
        number: u32,
    },
    /// Show the emulator's request log
    Requests {
        /// Forget it
        #[arg(long)]
        clear: bool,
    },
    /// Put ARM documents into the emulator as existing infrastructure
    Load {
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Send one request to the emulator
    #[command(after_help = "\
Example:
  plimsoll lab arm GET /subscriptions/0000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web")]
    Arm {
        #[arg(value_name = "METHOD")]
        method: String,
        #[arg(value_name = "ID")]
        id: String,
        /// A file with the body, or `-` for standard input
        #[arg(value_name = "BODY", value_hint = ValueHint::FilePath)]
        body: Option<PathBuf>,
    },
    /// Make the emulator misbehave; without a fault, show which are on
    #[command(after_help = "\
Faults that befall the next request once:
  429, 409, 412, 500 … 504    it is answered so, and nothing is done
  drop-connection=before      the connection breaks before it is done
  drop-connection=after       the connection breaks when it is done
  hold=before|after           no answer ever comes, before or after
  fail-operation              a write is accepted and then fails
  cancel-operation            a write is accepted and then cancelled
  superseded                  another write wins
  superseded=silently         another write wins, and Azure says Succeeded
Faults that stay until `off`:
  slow=2s                     operations take so long
  stale-reads=5s              after a write, reads are so long out of date
  nic-if-match=ignored        network interfaces ignore If-Match; or refused
Options:
  on=PUT  on=loadBalancers    only this method, only this in the path
  on=PUT loadBalancers        only both together
  count=N  count=always       how many requests
  skip=N                      how many are spared first
  retry-after=S  code=CODE    what the answer says

Examples:
  plimsoll lab fault 429 retry-after=5 on=PUT loadBalancers
  plimsoll lab fault drop-connection=after on=PUT
  plimsoll lab fault off")]
    Fault {
        #[arg(value_name = "FAULT")]
        fault: Vec<String>,
    },
    /// Run the lab in the foreground; with --listen, only its Resource Manager
    Serve {
        /// The emulator's port on 127.0.0.1; without it, a free one
        #[arg(long)]
        port: Option<u16>,

        /// No guests and no configuration: only Azure Resource Manager, at this address
        #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
        listen: Option<std::net::SocketAddr>,

        /// Where it keeps its documents and certificates (with --listen)
        #[arg(long, value_name = "DIR", requires = "listen", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
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
