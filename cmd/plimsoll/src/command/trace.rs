//! `trace`: follows destinations to the members and into the guests, and names where packets are dropped. Reads only.

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
use plimsoll_core::plan::{self, Basis, Destination, Trace, TraceQuestion, Wanted};
use std::collections::BTreeSet;

pub(crate) async fn run(context: &Context, arguments: &TraceArguments) -> Result<Exit, Failure> {
    let destinations = arguments.destinations.iter();
    let destinations = destinations.map(|text| destination::parse(text, "trace"));
    let destinations: Vec<Destination> = destinations.collect::<Result<_, _>>()?;
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
    let follow = |observed: &Observed| -> Vec<Trace> {
        let question = |&destination: &Destination| TraceQuestion {
            desired: &configuration.desired,
            observed,
            prior: prior.as_ref(),
            destination,
            basis,
        };
        let questions = destinations.iter().map(question);
        questions.map(|question| plan::trace(&question)).collect()
    };
    // Azure's half says whom the packets can reach: nobody else is asked.
    let outside = follow(&observed);
    let reached: BTreeSet<&Addr> = outside
        .iter()
        .flat_map(|trace| &trace.routes)
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

    let traces = follow(&observed);
    context.view.trace(&TraceShown {
        traces: &traces,
        told: &loaded.told,
        apply: &context.call("apply"),
    });
    let (serve, complete) = (
        traces.iter().all(Trace::serves),
        traces.iter().all(Trace::is_complete),
    );
    Ok(Exit::Different
        .when(!serve)
        .max(Exit::Unread.when(!complete)))
}
