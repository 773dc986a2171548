//! What is done to the local lab.

use clap::{Subcommand, ValueHint};
use std::path::PathBuf;

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
