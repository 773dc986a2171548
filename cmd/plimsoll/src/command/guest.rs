//! `guest script`: what a guest must run, for someone else to run it. Asks Azure only for what is missing, and no guest but
//! one that runs Windows.

use crate::args::GuestCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Loaded};
use crate::view::{json, say, tell};
use crate::{state, world};
use plimsoll_core::apply::{self, GuestOrder, ObserveGuests as _};
use plimsoll_core::config::Desired;
use plimsoll_core::model::guest::{BY_SCRIPT, Claim, Os};
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::{self, Demand, How};
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
    let demand = demanded(context, &loaded, prior, &addr).await;
    let claim = Claim {
        deployment: configuration.settings.deployment.clone(),
        lineage: prior.map_or(BY_SCRIPT, |state| &state.lineage).to_owned(),
    };
    let order = Order {
        guest: &addr,
        claim: &claim,
        run: prior.map_or(0, |state| state.run),
        demand: &demand,
        how: if *undo { How::Undo } else { How::Hold },
    };
    let script = match os {
        Os::Linux => for_linux(&order)?,
        Os::Windows => for_windows(context, &loaded, prior, &order).await?,
    };
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
    if demand.wanted.is_empty() && demand.unknown.is_empty() {
        tell(&format!("No rule needs anything of {addr}.\n"));
    }
    if !*undo && !demand.left_over.is_empty() {
        tell(&format!(
            "{addr} also holds what no rule needs any more; the script leaves it, `apply` takes it away.\n"
        ));
    }
    Ok(Exit::Unread.when(!demand.unknown.is_empty()))
}

/// What a script is made from.
struct Order<'a> {
    guest: &'a Addr,
    claim: &'a Claim,
    /// The newest run that the state knows.
    run: u64,
    demand: &'a Demand,
    how: How,
}

/// It finds out by itself what the machine is like.
fn for_linux(order: &Order<'_>) -> Result<String, Failure> {
    let undo = order.how == How::Undo;
    let mut entries = order.demand.wanted.clone();
    if undo {
        entries.extend(order.demand.left_over.iter().cloned());
    }
    standalone::script(&Standalone {
        guest: order.guest,
        claim: order.claim,
        run: order.run,
        entries: &entries,
        undo,
    })
    .map_err(|error| Failure::of(&error))
}

/// It names interfaces by their indexes, so the guest is read for it: what `apply` would send, of everything at once.
async fn for_windows(
    context: &Context,
    loaded: &Loaded,
    prior: Option<&State>,
    order: &Order<'_>,
) -> Result<String, Failure> {
    let configuration = &loaded.configuration;
    let world = world::build(context, configuration).await?;
    let mut wanted = plan::needed(&configuration.desired, prior);
    let guest = wanted.guests.remove(order.guest).ok_or_else(|| {
        Failure::new(format!(
            "{} is not a guest. This is a bug in plimsoll.",
            order.guest
        ))
    })?;
    let facts = match world.guests.facts(&guest).await {
        Observation::Present(facts) => facts,
        Observation::Absent => return Err(Failure::new(format!("{} is gone", order.guest))),
        Observation::Unreadable { why } => {
            return Err(Failure::new(format!(
                "{} could not be read, and its script names interfaces by their index: {why}",
                order.guest
            ))
            .exiting(Exit::Unread)
            .next("See to its connection, and ask again."));
        }
    };
    wanted.guests.clear();
    // Weak host settings are those of the interface with the guest's own address, which Azure tells.
    let observed = apply::observe(&wanted, &world.read_azure, &world.guests).await;
    let demand = plan::demand(&configuration.desired, prior, &observed, order.guest);
    let demand = demand.unwrap_or_default();
    let step = demand.step(&guest, &facts, order.claim, order.how);
    let seen = facts.record().map(|record| &record.runs);
    let newest = seen.and_then(|runs| runs.get(&order.claim.deployment));
    let script = plimsoll_guest::show_script(&GuestOrder {
        step: &step,
        facts: &facts,
        claim: order.claim,
        run: newest.copied().unwrap_or(0).max(order.run),
    });
    script.map_err(|error| Failure::of(&error))
}

/// The guest of this name, declared or only recorded.
fn known(name: &str, desired: &Desired, prior: Option<&State>) -> Result<(Addr, Os), Failure> {
    let declared = desired.guests.iter().map(|(addr, guest)| (addr, guest.os));
    let recorded = prior.into_iter().flat_map(|state| &state.resources);
    let recorded = recorded.filter_map(|(addr, resource)| match resource {
        Recorded::Guest { os, .. } => Some((addr, *os)),
        Recorded::PublicIpPrefix { .. }
        | Recorded::PublicIp { .. }
        | Recorded::LoadBalancer { .. } => None,
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
