//! `trace`: follows one destination to the members and into the guests, and names where packets are dropped. Reads only.

use crate::args::TraceArguments;
use crate::context::Context;
use crate::destination;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline;
use crate::state;
use crate::view::TraceShown;
use crate::world;
use plimsoll_core::apply;
use plimsoll_core::model::Addr;
use plimsoll_core::model::observed::Observed;
use plimsoll_core::plan::{self, Basis, TraceQuestion, Wanted};
use std::collections::BTreeSet;

pub(crate) async fn run(context: &Context, arguments: &TraceArguments) -> Result<Exit, Failure> {
    let destination = destination::parse(&arguments.destination, "trace")?;
    let loaded = pipeline::load_and_discover(context).await?;
    let configuration = &loaded.configuration;
    let prior = state::read(context, &configuration.settings).await?;
    let world = world::build(context, configuration).await?;

    let mut wanted = plan::needed(&configuration.desired, prior.as_ref());
    let mut guests = std::mem::take(&mut wanted.guests);
    let mut observed = apply::observe(&wanted, &world.read_azure, &world.guests).await;
    let basis = if arguments.desired {
        Basis::Desired
    } else {
        Basis::Observed
    };
    let question = |observed: &Observed| {
        plan::trace(&TraceQuestion {
            desired: &configuration.desired,
            observed,
            prior: prior.as_ref(),
            destination,
            basis,
        })
    };
    // Azure's half says whom the packets can reach: nobody else is asked.
    let outside = question(&observed);
    let reached: BTreeSet<&Addr> = outside
        .routes
        .iter()
        .flat_map(|route| &route.members)
        .filter_map(|member| member.guest.as_ref())
        .collect();
    guests.retain(|addr, _| reached.contains(addr));
    let inside = Wanted {
        guests,
        ..Wanted::default()
    };
    let facts = apply::observe(&inside, &world.read_azure, &world.guests).await;
    observed.guests = facts.guests;

    let trace = question(&observed);
    context.view.trace(&TraceShown {
        trace: &trace,
        told: &loaded.told,
        apply: &context.call("apply"),
    });
    Ok(Exit::Different
        .when(!trace.serves())
        .max(Exit::Unread.when(!trace.is_complete())))
}
