//! `lab exec`: a command inside a guest, with our own standard streams and its own exit code.

use super::{failed, lab};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Signals;
use std::os::unix::process::ExitStatusExt;

pub(super) async fn run(
    context: &Context,
    guest: &str,
    arguments: &[String],
) -> Result<Exit, Failure> {
    let lab = lab(context).await?;
    let mut command = lab.exec_command(guest, arguments).map_err(failed)?;
    // Ctrl-C is for what runs in the guest: the terminal sends it there as well.
    let _signals = Signals::listen()?;
    let status = tokio::task::spawn_blocking(move || command.status())
        .await
        .map_err(|error| Failure::new("cannot wait for the command in the guest").because(&error))?
        .map_err(|error| {
            Failure::new(format!("cannot run {:?} in {guest}", arguments.join(" "))).because(&error)
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
