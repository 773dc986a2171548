//! What `init` can be told instead of asking.

use clap::{Args, ValueEnum};

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
