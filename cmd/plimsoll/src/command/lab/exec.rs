//! `lab exec` and `lab client`: a command in a guest, or where the clients are, with our own standard streams and its own
//! exit code.

use super::{failed, lab};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Signals;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// In a guest, as its root.
pub(super) async fn run(
    context: &Context,
    guest: &str,
    arguments: &[String],
) -> Result<Exit, Failure> {
    let command = lab(context).await?.exec_command(guest, arguments);
    let place = format!("in {guest}");
    passed(command.map_err(failed)?, &place, arguments).await
}

/// Where the clients are.
pub(super) async fn in_client(context: &Context, arguments: &[String]) -> Result<Exit, Failure> {
    let command = lab(context).await?.client_command(arguments);
    passed(command.map_err(failed)?, "as a client", arguments).await
}

async fn passed(mut command: Command, place: &str, arguments: &[String]) -> Result<Exit, Failure> {
    // Ctrl-C is for what runs there: the terminal sends it there as well.
    let _signals = Signals::listen()?;
    let status = tokio::task::spawn_blocking(move || command.status())
        .await
        .map_err(|error| {
            Failure::new(format!("cannot wait for the command {place}")).because(&error)
        })?
        .map_err(|error| {
            Failure::new(format!("cannot run {:?} {place}", arguments.join(" "))).because(&error)
        })?;
    // As shells have it.
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    if code == 0 {
        return Ok(Exit::Done);
    }
    Ok(Exit::Passed(u8::try_from(code).unwrap_or(1)))
}
