//! `completions`: a script for the shell.

use crate::args::{Arguments, CompletionsArguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::say;
use clap::CommandFactory;

pub(crate) fn run(arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "plimsoll",
        &mut script,
    );
    say(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
