//! `lab requests`: what clients asked of the emulator.

use super::{failed, lab};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn run(context: &Context, clear: bool) -> Result<Exit, Failure> {
    let lab = lab(context).await?;
    if clear {
        lab.clear_requests().await.map_err(failed)?;
        context.view.note("The request log is empty.");
        return Ok(Exit::Done);
    }
    let requests = lab.requests().await.map_err(failed)?;
    context.view.requests(&requests);
    Ok(Exit::Done)
}
