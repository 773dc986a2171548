//! One file for each verb. A command joins the pipeline's steps and picks the exit code; views do the talking.

mod apply;
mod approve;
mod completions;
mod destroy;
mod drift;
mod explain;
mod fmt;
mod graph;
mod guest;
mod import;
mod init;
mod lab;
mod map;
mod plan;
mod reports;
mod saved;
mod schema;
mod show;
pub(crate) mod signals;
mod snapshot;
mod state;
mod trace;
mod validate;

use crate::args::Command;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(arguments) => init::run(context, &arguments).await,
        Command::Validate => validate::run(context),
        Command::Plan(arguments) => plan::run(context, &arguments).await,
        Command::Apply(arguments) => apply::run(context, &arguments).await,
        Command::Destroy(arguments) => destroy::run(context, &arguments).await,
        Command::Drift(arguments) => drift::run(context, &arguments).await,
        Command::Import(arguments) => import::run(context, &arguments).await,
        Command::Show(arguments) => show::run(context, &arguments),
        Command::Map => map::run(context).await,
        Command::Snapshot(arguments) => snapshot::run(context, &arguments).await,
        Command::Guest(command) => guest::run(context, &command).await,
        Command::State(command) => state::run(context, command).await,
        Command::Trace(arguments) => trace::run(context, &arguments).await,
        Command::Graph(arguments) => graph::run(context, &arguments),
        Command::Schema(arguments) => Ok(schema::run(&arguments)),
        Command::Fmt(arguments) => fmt::run(context, &arguments),
        Command::Explain(arguments) => explain::run(context, &arguments),
        Command::Lab(command) => lab::run(context, command).await,
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
