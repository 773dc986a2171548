//! `show`: a saved plan, from its file alone.

use super::reports::{self, About};
use super::{saved, signals};
use crate::args::ShowArguments;
use crate::context::{Context, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::{Places, PlanShown, Told};

pub(crate) fn run(context: &Context, arguments: &ShowArguments) -> Result<Exit, Failure> {
    let plan = saved::read(&context.path(&arguments.plan))?;
    let file = quoted(&arguments.plan.display().to_string());
    let next = if plan.applyable && !plan.steps.is_empty() {
        vec![(
            "To apply exactly this".to_owned(),
            context.call(&format!("apply {file}")),
        )]
    } else {
        Vec::new()
    };
    let shown = PlanShown {
        scripts: &[],
        plan: &plan,
        told: &Told::default(),
        took: None,
        next: &next,
        places: Places {
            known: None,
            host: &context.host,
        },
    };
    context.view.plan(&shown);
    signals::outputs(context, &plan)?;
    reports::write(context, &arguments.reports, About::Plan, &shown)?;
    Ok(Exit::Done)
}
