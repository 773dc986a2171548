//! `destroy`: the way back. Public IP addresses stay unless they are given up by name.

use super::apply::{self, Wish};
use crate::args::DestroyArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline::{self, Calls, Goal};
use plimsoll_core::plan::Mode;

pub(crate) async fn run(context: &Context, arguments: &DestroyArguments) -> Result<Exit, Failure> {
    let loaded = pipeline::load(context)?;
    let verb = if arguments.release_addresses {
        "destroy --release-addresses"
    } else {
        "destroy"
    };
    let calls = Calls {
        again: context.call(verb),
        replan: context.call("plan --destroy"),
        next: Vec::new(),
    };
    let goal = Goal {
        mode: Mode::Destroy,
        release_addresses: arguments.release_addresses,
        ..Goal::apply()
    };
    apply::fresh(
        context,
        &loaded,
        Wish {
            goal,
            operation: "destroy",
            auto_approve: arguments.auto_approve,
            lock_timeout: arguments.lock.patience(),
            reports: &arguments.reports,
        },
        calls,
    )
    .await
}
