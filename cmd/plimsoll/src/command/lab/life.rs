//! `lab up|down|status|reset|serve|reboot`.

use super::{failed, lab, start};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Signals;
use crate::view::{LabAccess, LabGuest, LabStatus};
use plimsoll_lab::Lab;
use plimsoll_lab::client::Status;

pub(super) async fn up(context: &Context, port: Option<u16>) -> Result<Exit, Failure> {
    let lab = start(context, port).await?;
    show(context, &lab).await
}

pub(super) async fn status(context: &Context) -> Result<Exit, Failure> {
    match Lab::attach(context.directory()) {
        Some(lab) => show(context, &lab).await,
        None => {
            context.view.lab_status(&LabStatus {
                running: false,
                directory: context.directory().display().to_string(),
                access: None,
                guests: Vec::new(),
            });
            Ok(Exit::Done)
        }
    }
}

async fn show(context: &Context, lab: &Lab) -> Result<Exit, Failure> {
    let status = lab.status().await.map_err(failed)?;
    let mut shown = shown(lab, status);
    // Other clients want the subscription that the configuration names; the lab takes any.
    if let Some(access) = &mut shown.access
        && let Ok(Some(subscription)) = super::configured_subscription(context)
    {
        access.subscription = subscription;
    }
    context.view.lab_status(&shown);
    Ok(Exit::Done)
}

fn shown(lab: &Lab, status: Status) -> LabStatus {
    let credentials = lab.credentials();
    LabStatus {
        running: true,
        directory: status.directory.display().to_string(),
        access: Some(LabAccess {
            endpoint: status.endpoint,
            token_endpoint: status.token_endpoint,
            ca_file: status.ca_file.display().to_string(),
            subscription: status.subscription,
            tenant: credentials.tenant,
            client_id: credentials.client_id,
            client_secret: credentials.client_secret,
            faults: status.faults,
        }),
        guests: status
            .guests
            .into_iter()
            .map(|guest| LabGuest {
                name: guest.name.to_string(),
                os: guest.os,
                running: guest.pid.is_some(),
                note: guest.note,
                addresses: guest
                    .nics
                    .into_iter()
                    .flatten()
                    .map(|a| a.to_string())
                    .collect(),
            })
            .collect(),
    }
}

pub(super) async fn down(context: &Context) -> Result<Exit, Failure> {
    match Lab::attach(context.directory()) {
        Some(lab) => {
            lab.down().await.map_err(failed)?;
            context
                .view
                .note("The lab is down; what it holds stays for the next start.");
        }
        None => context.view.note("The lab is not up."),
    }
    Ok(Exit::Done)
}

pub(super) async fn reset(context: &Context) -> Result<Exit, Failure> {
    Lab::reset(context.directory()).await.map_err(failed)?;
    context
        .view
        .note("The lab is gone, with everything it held and its state.");
    Ok(Exit::Done)
}

/// In the foreground: until a signal comes, or the lab ends by itself.
pub(super) async fn serve(context: &Context, port: Option<u16>) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let lab = start(context, port).await?;
    show(context, &lab).await?;
    context.view.note("Ctrl-C ends the lab.");
    loop {
        tokio::select! {
            () = signals.next() => break,
            () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {
                // Asking keeps it from ending for want of anything to do.
                if lab.status().await.is_err() {
                    return Err(Failure::new("the lab ended by itself")
                        .next(format!("Its log: {}", lab.layout().log().display())));
                }
            }
        }
    }
    lab.down().await.map_err(failed)?;
    Ok(Exit::Done)
}

pub(super) async fn reboot(context: &Context, guest: &str) -> Result<Exit, Failure> {
    lab(context).await?.reboot(guest).await.map_err(failed)?;
    context
        .view
        .note(&format!("{guest} rebooted: what is not persisted is gone."));
    Ok(Exit::Done)
}
