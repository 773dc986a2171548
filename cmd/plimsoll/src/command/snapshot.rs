//! `snapshot`: a job with rights records what a plan needs, for those without. Reads only, takes no lock.

use super::saved;
use crate::args::SnapshotArguments;
use crate::context::{Context, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::Loaded;
use crate::view::say;
use crate::{clock, pipeline, state, world};
use plimsoll_core::apply;
use plimsoll_core::plan;
use plimsoll_core::snapshot::{Occasion, Snapshot, StandsOn};
use std::path::Path;

pub(crate) async fn run(context: &Context, arguments: &SnapshotArguments) -> Result<Exit, Failure> {
    let loaded = pipeline::load_and_discover(context).await?;
    let configuration = &loaded.configuration;
    let prior = state::read(context, &configuration.settings).await?;
    let world = world::build(context, configuration).await?;
    let taken = clock::now();
    let wanted = plan::needed(&configuration.desired, prior.as_ref());
    let observed = apply::observe(&wanted, &world.read_azure, &world.guests).await;
    let occasion = Occasion {
        taken,
        deployment: configuration.settings.deployment.clone(),
        lab: context.global.lab,
    };
    let mut snapshot = Snapshot::take(occasion, prior.as_ref(), observed, &configuration.desired);
    snapshot.members.clone_from(&loaded.members);
    match &arguments.out {
        None => say(&snapshot.text()),
        Some(out) => {
            saved::whole(&context.path(out), &snapshot.text(), "snapshot")?;
            let file = quoted(&out.display().to_string());
            context.view.note(&format!(
                "Whoever has the configuration and this file can plan:\n  {}",
                context.call(&format!("plan --snapshot {file}"))
            ));
        }
    }
    context.view.note(&masked(&snapshot));
    if !snapshot.complete {
        context
            .view
            .note("Not everything could be read; plans from it say what is missing.");
    }
    Ok(Exit::Unread.when(!snapshot.complete))
}

fn masked(snapshot: &Snapshot) -> String {
    match snapshot.masked.as_slice() {
        [] => "Nothing in it had to be masked.".to_owned(),
        masked => format!("Masked: {}.", masked.join(", ")),
    }
}

/// The file, if it is of this deployment; and says how old it is.
pub(super) fn read(
    context: &Context,
    loaded: &Loaded,
    file: &Path,
) -> Result<(Snapshot, StandsOn), Failure> {
    let path = context.path(file);
    let shown = path.display();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::new(format!("cannot read the snapshot {shown}"))
            .because(&error)
            .next("A snapshot is taken by `plimsoll snapshot --out FILE`, where Azure and the guests can be read.")
    })?;
    let (snapshot, stands_on) = Snapshot::parse(&text).map_err(|error| {
        Failure::new(format!("cannot use the snapshot {shown}")).because(&error)
    })?;
    let deployment = &loaded.configuration.settings.deployment;
    if snapshot.deployment != *deployment {
        return Err(Failure::new(format!(
            "the snapshot {shown} is of deployment {}, the configuration is of {deployment}",
            snapshot.deployment
        ))
        .next("Take one with this configuration."));
    }
    context.view.note(&format!(
        "From the snapshot of {}{}, {}; {}",
        snapshot.taken,
        clock::age(&snapshot.taken).map_or_else(String::new, |age| format!(", {age} old")),
        if snapshot.complete {
            "complete"
        } else {
            "not complete"
        },
        masked(&snapshot)
    ));
    Ok((snapshot, stands_on))
}
