//! `apply`: a saved plan exactly as it is, or plan, ask, apply. Under the state's lock from before it plans.

use super::reports::{self, About};
use super::{approve, saved, signals};
use crate::args::{ApplyArguments, RefinementArguments, ReportArguments, Until};
use crate::context::{Context, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::pipeline::{self, Calls, Goal, Loaded, Planned};
use crate::view::{PlanShown, Story};
use crate::{scripts, state, world};
use plimsoll_core::model::Protocol;
use plimsoll_core::plan::{self, Phase, Plan};
use plimsoll_store::HeldState;
use std::path::Path;
use std::time::Duration;

pub(crate) async fn run(context: &Context, arguments: &ApplyArguments) -> Result<Exit, Failure> {
    let loaded = pipeline::load_and_discover(context).await?;
    match &arguments.plan {
        Some(file) => exactly(context, &loaded, file, arguments).await,
        None => {
            let asked = arguments.refinements.typed();
            let whole = context.call(&format!("apply{asked}"));
            let calls = Calls {
                again: match arguments.until {
                    None => whole.clone(),
                    Some(Until::Expand) => context.call(&format!("apply{asked} --until expand")),
                },
                replan: context.call(&format!("plan{asked}")),
                next: after_it(context, &loaded, arguments, whole),
            };
            fresh(
                context,
                &loaded,
                Wish {
                    goal: Goal {
                        refinements: arguments.refinements.refinements(),
                        guests: arguments.refinements.guests,
                        until: until(arguments),
                        show_scripts: arguments.show_scripts,
                        ..Goal::apply()
                    },
                    operation: "apply",
                    auto_approve: arguments.auto_approve,
                    lock_timeout: arguments.lock.patience(),
                    reports: &arguments.reports,
                },
                calls,
            )
            .await
        }
    }
}

fn until(arguments: &ApplyArguments) -> Option<Phase> {
    arguments.until.map(|until| match until {
        Until::Expand => Phase::Expand,
    })
}

/// What `apply` and `destroy` want of a fresh plan.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) goal: Goal,
    /// What the lock says that is going on.
    pub(crate) operation: &'a str,
    pub(crate) auto_approve: bool,
    pub(crate) lock_timeout: Duration,
    pub(crate) reports: &'a ReportArguments,
}

/// Plan, show, ask, apply: for `apply` and `destroy`.
pub(crate) async fn fresh(
    context: &Context,
    loaded: &Loaded,
    wish: Wish<'_>,
    calls: Calls,
) -> Result<Exit, Failure> {
    let settings = &loaded.configuration.settings;
    state::under_lock(
        context,
        settings,
        wish.operation,
        wish.lock_timeout,
        async |held, interrupt| proposed(context, loaded, wish, &calls, (held, interrupt)).await,
    )
    .await
}

async fn proposed(
    context: &Context,
    loaded: &Loaded,
    wish: Wish<'_>,
    calls: &Calls,
    under: (&dyn HeldState, &Interrupt),
) -> Result<Exit, Failure> {
    let planned = pipeline::plan(context, loaded, wish.goal).await?;
    let plan = &planned.plan;
    let shown = PlanShown {
        scripts: &planned.scripts,
        plan,
        told: &loaded.told,
        took: Some(planned.took),
        next: &[],
        places: pipeline::places(context, loaded),
    };
    context.view.proposal(&shown);
    signals::of_plan(context, plan, &shown.places);
    signals::outputs(context, plan)?;
    if !plan.applyable || plan.steps.is_empty() {
        reports::write(context, wish.reports, About::Plan, &shown)?;
    }
    if !plan.applyable {
        return Err(refused(plan));
    }
    if plan.steps.is_empty() {
        return Ok(Exit::Unread.when(!plan.complete));
    }
    if !approve::ask(context, plan, wish.auto_approve).await? {
        context.view.note("Nothing was written.");
        return Ok(Exit::Error);
    }
    let report = |story: &Story<'_>| {
        let shown = PlanShown {
            next: story.next,
            ..shown
        };
        reports::write(context, wish.reports, About::Apply(story), &shown)
    };
    pipeline::apply(context, &planned, under, calls, &report).await
}

/// The plan is in the file; the configuration only says where Azure and the state are.
async fn exactly(
    context: &Context,
    loaded: &Loaded,
    file: &Path,
    arguments: &ApplyArguments,
) -> Result<Exit, Failure> {
    if arguments.refinements != RefinementArguments::default() {
        return Err(
            Failure::new("a saved plan is applied as it is, or not at all")
                .next("Nothing was written. Give --target, --exclude, --accept-unready and --guests to plan:")
                .next(format!(
                    "  {}",
                    context.call(&format!(
                        "plan --out {}",
                        quoted(&file.display().to_string())
                    ))
                )),
        );
    }
    let plan = saved::read(&context.path(file))?;
    if plan.lab != context.global.lab {
        return Err(match plan.lab {
            true => Failure::new("this plan was made in the lab")
                .next("Apply it there, with --lab, or make a plan for Azure."),
            false => Failure::new("this plan was made for Azure, not for the lab")
                .next("Apply it without --lab, or make a plan in the lab."),
        });
    }
    if !plan.applyable {
        return Err(refused(&plan));
    }
    if !plan.complete {
        return Err(Failure::new(
            "this plan is not complete: not everything could be read when it was made",
        )
        .exiting(Exit::Unread)
        .next("Nothing was written. See what could not be read, and plan again:")
        .next(format!(
            "  {}",
            context.call(&format!("show {}", quoted(&file.display().to_string())))
        )));
    }
    let configuration = &loaded.configuration;
    if plan.config_digest != configuration.digest {
        return Err(Failure::new(
            "the plan is stale: the configuration or its variables changed since it was made",
        )
        .exiting(Exit::Stale)
        .next("Nothing was written. Give the same variables as for the plan, or plan again:")
        .next(format!(
            "  {}",
            context.call(&format!(
                "plan --out {}",
                quoted(&file.display().to_string())
            ))
        )));
    }
    state::under_lock(
        context,
        &configuration.settings,
        "apply",
        arguments.lock.patience(),
        async |held, interrupt| {
            let world = world::build(context, configuration).await?;
            let scripts = if arguments.show_scripts {
                scripts::as_sent_now(&plan, &world).await
            } else {
                Vec::new()
            };
            let planned = Planned {
                plan,
                scripts,
                prior: state::read(context, &configuration.settings).await?,
                world,
                took: Duration::ZERO,
                until: until(arguments),
            };
            let under = (held, interrupt);
            approved(context, loaded, &planned, file, arguments, under).await
        },
    )
    .await
}

async fn approved(
    context: &Context,
    loaded: &Loaded,
    planned: &Planned,
    file: &Path,
    arguments: &ApplyArguments,
    under: (&dyn HeldState, &Interrupt),
) -> Result<Exit, Failure> {
    let until = match arguments.until {
        None => "",
        Some(Until::Expand) => " --until expand",
    };
    let file = quoted(&file.display().to_string());
    let calls = Calls {
        again: context.call(&format!("apply {file}{until}")),
        replan: context.call(&format!("plan --out {file}")),
        next: after_it(
            context,
            loaded,
            arguments,
            context.call(&format!("apply {file}")),
        ),
    };
    let shown = PlanShown {
        scripts: &planned.scripts,
        plan: &planned.plan,
        told: &loaded.told,
        took: None,
        next: &[],
        places: pipeline::places(context, loaded),
    };
    if arguments.show_scripts {
        context.view.proposal(&shown);
    }
    signals::outputs(context, &planned.plan)?;
    let report = |story: &Story<'_>| {
        let shown = PlanShown {
            next: story.next,
            ..shown
        };
        reports::write(context, &arguments.reports, About::Apply(story), &shown)
    };
    pipeline::apply(context, planned, under, &calls, &report).await
}

fn refused(plan: &Plan) -> Failure {
    let failure = Failure::new("this plan may not be applied, so nothing was written");
    let failure = plan
        .blocked
        .iter()
        .fold(failure, |failure, why| failure.next(why.as_str()));
    failure.exiting(super::plan::refusal(plan))
}

/// What to do once it is done: go on where it was to stop on the way, otherwise look.
fn after_it(
    context: &Context,
    loaded: &Loaded,
    arguments: &ApplyArguments,
    whole: String,
) -> Vec<(String, String)> {
    match arguments.until {
        None => what_to_try(context, loaded),
        Some(Until::Expand) => vec![("Change the rules too".to_owned(), whole)],
    }
}

/// In the lab, packets; elsewhere, the next look.
fn what_to_try(context: &Context, loaded: &Loaded) -> Vec<(String, String)> {
    let drift = ("See whether it stays so".to_owned(), context.call("drift"));
    if !context.global.lab {
        return vec![drift];
    }
    let rows = plan::map(&loaded.configuration.desired, None);
    let first = rows
        .iter()
        .find_map(|row| Some((row, row.frontend_address?, row.port?)));
    let Some((row, address, port)) = first else {
        return vec![drift];
    };
    let address = if address.is_ipv6() {
        format!("[{address}]")
    } else {
        address.to_string()
    };
    let protocol = if row.protocol == Protocol::Udp {
        "/udp"
    } else {
        ""
    };
    vec![
        (
            "Send real packets".to_owned(),
            context.call(&format!("lab probe {address}:{port}{protocol} -n 20")),
        ),
        drift,
    ]
}
