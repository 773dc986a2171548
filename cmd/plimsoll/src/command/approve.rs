//! The question before anything is written. Only the whole word is a yes.

use crate::context::Context;
use crate::failure::Failure;
use crate::view::tell;
use plimsoll_core::plan::{Mode, Plan};

/// Whether to go on.
pub(crate) async fn ask(
    context: &Context,
    plan: &Plan,
    auto_approve: bool,
) -> Result<bool, Failure> {
    if auto_approve {
        return Ok(true);
    }
    let (verb, save) = match plan.mode {
        Mode::Apply => ("apply", "plan --out FILE"),
        Mode::Destroy => ("destroy", "plan --destroy --out FILE"),
    };
    if !context.terminal.asks || context.global.json {
        return Err(
            Failure::new("nobody is there to say yes, so nothing was written")
                .next("Let it go on without asking:")
                .next(format!(
                    "  {}",
                    context.call(&format!("{verb} --auto-approve"))
                ))
                .next("or save the plan, have it read, and apply exactly it:")
                .next(format!("  {}", context.call(save))),
        );
    }
    tell(match plan.mode {
        Mode::Apply => "\nApply this? Only `yes` is a yes: ",
        Mode::Destroy => "\nReally destroy all this? Only `yes` is a yes: ",
    });
    // A signal must be heard while the answer is waited for.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    Ok(answer
        .await
        .is_ok_and(|answer| answer.is_ok_and(|answer| answer.trim() == "yes")))
}
