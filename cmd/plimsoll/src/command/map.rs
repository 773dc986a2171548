//! `map`: where each rule's packets arrive, from the configuration. In the lab with the addresses that its NICs have.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Loaded};
use crate::world;
use plimsoll_core::apply;
use plimsoll_core::model::observed::Observed;
use plimsoll_core::plan;

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let loaded = pipeline::load(context)?;
    // A machine that can have no lab still has a configuration to show.
    let observed = if context.global.lab {
        lab(context, &loaded).await.ok()
    } else {
        None
    };
    let rows = plan::map(&loaded.configuration.desired, observed.as_ref());
    context.view.map(&rows, &loaded.told);
    Ok(Exit::Done)
}

/// Azure's half only: no guest needs to be asked.
async fn lab(context: &Context, loaded: &Loaded) -> Result<Observed, Failure> {
    let world = world::build(context, &loaded.configuration).await?;
    let mut wanted = plan::needed(&loaded.configuration.desired, None);
    wanted.guests.clear();
    Ok(apply::observe(&wanted, &world.read_azure, &world.guests).await)
}
