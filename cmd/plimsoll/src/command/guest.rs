//! `guest script`: what a guest must run, for someone else to run it. Asks no guest; asks Azure only for what is missing.

use crate::args::GuestCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Loaded};
use crate::view::{json, say, tell};
use crate::{state, world};
use plimsoll_core::apply;
use plimsoll_core::config::Desired;
use plimsoll_core::model::guest::{BY_SCRIPT, Claim, Os};
use plimsoll_core::model::observed::Observed;
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::{self, Demand};
use plimsoll_core::state::{Recorded, State};
use plimsoll_guest::linux::standalone::{self, Standalone};
use std::collections::BTreeSet;

pub(crate) async fn run(context: &Context, command: &GuestCommand) -> Result<Exit, Failure> {
    let GuestCommand::Script { guest, undo } = command;
    let loaded = pipeline::load_and_discover(context).await?;
    let configuration = &loaded.configuration;
    let desired = &configuration.desired;
    let prior = state::read(context, &configuration.settings).await?;
    let prior = prior.as_ref();
    let (addr, os) = known(guest, desired, prior)?;
    if os == Os::Windows {
        return Err(Failure::new(format!(
            "{addr} runs Windows, whose script names interfaces by their index and so needs the guest to be read"
        ))
        .next("To see the script that apply would send:")
        .next(format!("  {}", context.call("plan --show-scripts"))));
    }
    let demand = demanded(context, &loaded, prior, &addr).await;
    let claim = Claim {
        deployment: configuration.settings.deployment.clone(),
        lineage: prior.map_or(BY_SCRIPT, |state| &state.lineage).to_owned(),
    };
    let mut entries = demand.wanted;
    if *undo {
        entries.extend(demand.left_over.iter().cloned());
    }
    let script = standalone::script(&Standalone {
        guest: &addr,
        claim: &claim,
        run: prior.map_or(0, |state| state.run),
        entries: &entries,
        undo: *undo,
    })
    .map_err(|error| Failure::of(&error))?;
    if context.global.json {
        say(&json::guest_script(&addr, &demand.unknown, &script));
    } else {
        say(&script);
    }
    for unknown in &demand.unknown {
        tell(&format!(
            "Not known yet, and so not in the script: {unknown}.\n"
        ));
    }
    if entries.is_empty() && demand.unknown.is_empty() {
        tell(&format!("No rule needs anything of {addr}.\n"));
    }
    if !*undo && !demand.left_over.is_empty() {
        tell(&format!(
            "{addr} also holds what no rule needs any more; the script leaves it, `apply` takes it away.\n"
        ));
    }
    Ok(Exit::Unread.when(!demand.unknown.is_empty()))
}

/// The guest of this name, declared or only recorded.
fn known(name: &str, desired: &Desired, prior: Option<&State>) -> Result<(Addr, Os), Failure> {
    let declared = desired.guests.iter().map(|(addr, guest)| (addr, guest.os));
    let recorded = prior.into_iter().flat_map(|state| &state.resources);
    let recorded = recorded.filter_map(|(addr, resource)| match resource {
        Recorded::Guest { os, .. } => Some((addr, *os)),
        Recorded::PublicIp { .. } | Recorded::LoadBalancer { .. } => None,
    });
    let all: Vec<(&Addr, Os)> = declared.chain(recorded).collect();
    let wanted: Option<Addr> = match name.strip_prefix("guest.") {
        Some(_) => name.parse().ok(),
        None => format!("{}.{name}", Kind::Guest.word()).parse().ok(),
    };
    if let Some((addr, os)) = all.iter().find(|(addr, _)| Some(*addr) == wanted.as_ref()) {
        return Ok(((*addr).clone(), *os));
    }
    let names: BTreeSet<String> = all.iter().map(|(addr, _)| addr.to_string()).collect();
    let failure = Failure::new(format!("there is no guest {name:?} in this configuration"));
    Err(if names.is_empty() {
        failure.next("It declares none.")
    } else {
        let names: Vec<String> = names.into_iter().collect();
        failure.next(format!("It has {}.", names.join(", ")))
    })
}

/// From the configuration and the state alone where they say it all; otherwise Azure is asked, if it can be.
async fn demanded(
    context: &Context,
    loaded: &Loaded,
    prior: Option<&State>,
    addr: &Addr,
) -> Demand {
    let desired = &loaded.configuration.desired;
    let from =
        |observed: &Observed| plan::demand(desired, prior, observed, addr).unwrap_or_default();
    let offline = from(&Observed::default());
    if offline.unknown.is_empty() {
        return offline;
    }
    match world::build(context, &loaded.configuration).await {
        Ok(world) => {
            let mut wanted = plan::needed(desired, prior);
            wanted.guests.clear();
            from(&apply::observe(&wanted, &world.read_azure, &world.guests).await)
        }
        Err(failure) => {
            tell(&format!("Azure was not asked: {}.\n", failure.message));
            offline
        }
    }
}
