//! `drift`: what moved since the last apply. Reads only, takes no lock.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Goal};
use crate::view::PlanShown;

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let loaded = pipeline::load(context)?;
    let planned = pipeline::plan(context, &loaded, Goal::APPLY).await?;
    let plan = &planned.plan;
    let next = if plan.drift.is_empty() {
        Vec::new()
    } else {
        vec![("Heal".to_owned(), context.call("apply"))]
    };
    context.view.drift(&PlanShown {
        plan,
        told: &loaded.told,
        took: Some(planned.took),
        next: &next,
    });
    Ok(Exit::Different
        .when(!plan.drift.is_empty())
        .max(Exit::Unread.when(!plan.complete)))
}
