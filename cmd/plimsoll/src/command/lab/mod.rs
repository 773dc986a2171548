//! `lab`: drives the local lab. All of these belong to the lab of the directory, with or without --lab.

mod arm;
mod exec;
mod life;
mod probe;
mod requests;
mod serve;
mod silence;

use crate::args::LabCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{pipeline, sources, world};
use ipnet::IpNet;
use plimsoll_lab::Lab;
use std::net::IpAddr;

pub(crate) async fn run(context: &Context, command: LabCommand) -> Result<Exit, Failure> {
    match command {
        LabCommand::Up { port } => life::up(context, port).await,
        LabCommand::Down => life::down(context).await,
        LabCommand::Status => life::status(context).await,
        LabCommand::Reset => life::reset(context).await,
        LabCommand::Serve {
            listen: Some(listen),
            dir,
            ..
        } => serve::run(context, listen, dir.as_deref()).await,
        LabCommand::Serve { port, .. } => life::serve(context, port).await,
        LabCommand::Reboot { guest } => life::reboot(context, &guest).await,
        LabCommand::Exec { guest, command } => exec::run(context, &guest, &command).await,
        LabCommand::Client { command } => exec::in_client(context, &command).await,
        LabCommand::Route {
            guest,
            prefix,
            next_hop,
        } => route(context, &guest, prefix, next_hop).await,
        LabCommand::Silence { guest, ports, undo } => {
            silence::run(context, &guest, &ports, undo).await
        }
        LabCommand::Probe {
            destination,
            number,
        } => probe::run(context, &destination, number).await,
        LabCommand::Requests { clear } => requests::run(context, clear).await,
        LabCommand::Load { file } => arm::load(context, &file).await,
        LabCommand::Arm { method, id, body } => {
            arm::run(context, &method, &id, body.as_deref()).await
        }
        LabCommand::Fault { fault } => arm::fault(context, &fault.join(" ")).await,
    }
}

async fn route(
    context: &Context,
    guest: &str,
    prefix: IpNet,
    next_hop: IpAddr,
) -> Result<Exit, Failure> {
    lab(context)
        .await?
        .route(guest, prefix, next_hop)
        .await
        .map_err(failed)?;
    context.view.note(&format!(
        "What {guest} sends to {prefix} goes through {next_hop}."
    ));
    Ok(Exit::Done)
}

/// The running lab; or one that is started and given what the configuration refers to, if there is a configuration.
async fn lab(context: &Context) -> Result<Lab, Failure> {
    match Lab::attach(context.directory()) {
        Some(lab) => Ok(lab),
        None => start(context, None).await,
    }
}

async fn start(context: &Context, port: Option<u16>) -> Result<Lab, Failure> {
    let lab = world::started_lab(context.directory(), port).await?;
    // A lab without a configuration is an empty Azure; a configuration with errors is not silently an empty one.
    if sources::gather(context.directory()).0.files.is_empty() {
        return Ok(lab);
    }
    let loaded = pipeline::load(&in_lab(context))?;
    world::seeded_lab(context, &loaded.configuration).await
}

/// The same place seen as the lab sees it, whether or not --lab was given.
fn in_lab(context: &Context) -> Context {
    let mut global = context.global.clone();
    global.lab = true;
    Context::new(global)
}

fn configured_subscription(context: &Context) -> Result<Option<String>, Failure> {
    let loaded = pipeline::load(&in_lab(context))?;
    Ok(loaded.configuration.settings.subscription_id)
}

/// The lab's own errors name the next step.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failed(error: plimsoll_lab::LabError) -> Failure {
    Failure::of(&error)
}
