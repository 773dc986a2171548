//! `plan`: reads the world, shows what would change, writes nothing but the plan file. Takes no lock.

use super::reports::{self, About};
use super::{saved, signals, snapshot};
use crate::args::PlanArguments;
use crate::context::{Context, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Goal};
use crate::view::PlanShown;
use plimsoll_core::model::Severity;
use plimsoll_core::plan::{Mode, Plan};

pub(crate) async fn run(context: &Context, arguments: &PlanArguments) -> Result<Exit, Failure> {
    // What goes with destroy is in the state, so nobody needs to be discovered.
    let mut loaded = match arguments.snapshot.is_some() || arguments.destroy {
        true => pipeline::load(context)?,
        false => pipeline::load_and_discover(context).await?,
    };
    let goal = Goal {
        mode: if arguments.destroy {
            Mode::Destroy
        } else {
            Mode::Apply
        },
        release_addresses: arguments.release_addresses,
        refinements: arguments.refinements.refinements(),
        guests: arguments.refinements.guests,
        until: None,
        show_scripts: arguments.show_scripts,
    };
    let (plan, scripts, took, exit) = match &arguments.snapshot {
        None => {
            let planned = pipeline::plan(context, &loaded, goal).await?;
            let exit = exit(&planned.plan, arguments.detailed_exitcode);
            (planned.plan, planned.scripts, Some(planned.took), exit)
        }
        Some(file) => {
            let (facts, stands_on) = snapshot::read(context, &loaded, file)?;
            loaded = pipeline::load_recorded(context, &facts)?;
            let mut plan = pipeline::plan_offline(&loaded, &goal, &facts);
            // That it is only to be read is no failure: it was asked for.
            let exit = exit(&plan, arguments.detailed_exitcode);
            stands_on.under(&mut plan);
            (plan, Vec::new(), None, exit)
        }
    };
    let plan = &plan;
    if let Some(out) = &arguments.out {
        saved::write(plan, &context.path(out))?;
    }
    let shown = PlanShown {
        scripts: &scripts,
        plan,
        told: &loaded.told,
        took,
        next: &next(context, arguments, plan),
        places: pipeline::places(context, &loaded),
    };
    context.view.plan(&shown);
    signals::of_plan(context, plan, &shown.places);
    signals::outputs(context, plan)?;
    reports::write(context, &arguments.reports, About::Plan, &shown)?;
    Ok(exit)
}

/// The command that does what was planned: whoever saved the plan wants exactly this one applied, and what was asked of the
/// plan is asked again.
fn next(context: &Context, arguments: &PlanArguments, plan: &Plan) -> Vec<(String, String)> {
    if plan.steps.is_empty() || !plan.applyable {
        return Vec::new();
    }
    let asked = arguments.refinements.typed();
    let say = |what: &str, verb: String| (what.to_owned(), context.call(&verb));
    let release = if arguments.release_addresses {
        " --release-addresses"
    } else {
        ""
    };
    match (&arguments.out, arguments.destroy) {
        (Some(out), _) => {
            let out = quoted(&out.display().to_string());
            vec![say("To apply exactly this", format!("apply {out}"))]
        }
        // `destroy` takes away everything: a part of it goes by a saved plan.
        (None, true) if !asked.is_empty() => vec![
            say(
                "To save this",
                format!("plan --destroy{release}{asked} --out part.plim"),
            ),
            say("To apply exactly this then", "apply part.plim".to_owned()),
        ],
        (None, true) => vec![say("To destroy", format!("destroy{release}"))],
        (None, false) => vec![say("To apply", format!("apply{asked}"))],
    }
}

/// A plan that was made is a success, even one with changes, unless more detail is asked for; one that could not be
/// made whole says so by its code.
pub(crate) fn exit(plan: &Plan, detailed: bool) -> Exit {
    Exit::Different
        .when(detailed && plan.has_changes())
        .max(Exit::Unread.when(!plan.complete))
        .max(refusal(plan).when(!plan.applyable))
}

/// Why a plan may not be applied: an error by itself, or only because something could not be read.
pub(crate) fn refusal(plan: &Plan) -> Exit {
    let wrong = plan.findings.iter().any(|f| f.severity == Severity::Error);
    if plan.complete || wrong {
        Exit::Error
    } else {
        Exit::Unread
    }
}
