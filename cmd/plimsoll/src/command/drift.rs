//! `drift`: what moved since the last apply. Reads only, takes no lock.

use super::reports::{self, About};
use super::signals;
use crate::args::DriftArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Goal};
use crate::view::PlanShown;

pub(crate) async fn run(context: &Context, arguments: &DriftArguments) -> Result<Exit, Failure> {
    let loaded = pipeline::load_and_discover(context).await?;
    let goal = Goal {
        guests: arguments.guests,
        ..Goal::apply()
    };
    let planned = pipeline::plan(context, &loaded, goal).await?;
    let plan = &planned.plan;
    let next = if plan.drift.is_empty() {
        Vec::new()
    } else {
        vec![("Heal".to_owned(), context.call("apply"))]
    };
    let shown = PlanShown {
        scripts: &[],
        plan,
        told: &loaded.told,
        took: Some(planned.took),
        next: &next,
        places: pipeline::places(context, &loaded),
    };
    context.view.drift(&shown);
    signals::of_drift(context, plan, &shown.places);
    signals::outputs(context, plan)?;
    reports::write(context, &arguments.reports, About::Drift, &shown)?;
    Ok(Exit::Different
        .when(!plan.drift.is_empty())
        .max(Exit::Unread.when(!plan.complete)))
}
