//! `show`: a saved plan, from its file alone.

use super::saved;
use crate::args::ShowArguments;
use crate::context::{Context, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::{PlanShown, Told};

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
    context.view.plan(&PlanShown {
        plan: &plan,
        told: &Told::default(),
        took: None,
        next: &next,
    });
    Ok(Exit::Done)
}
