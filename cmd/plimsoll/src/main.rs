//! plimsoll: the program that people run. It talks to people, reads the environment, names the concrete providers and
//! calls core; it decides nothing about Azure or guests itself.

mod args;
mod exit;
mod failure;

mod clock;
mod context;
mod destination;
mod files;
mod host;
mod inputs;
mod interrupt;
mod lab_seed;
mod pipeline;
mod run_command;
mod scripts;
mod sources;
mod state;
mod who;
mod world;

mod command;
mod view;

use args::{Arguments, Colour};
use clap::error::ErrorKind;
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use context::Context;
use exit::Exit;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    // The lab's own processes come before everything: they must not have threads yet when they enter namespaces.
    match arguments.get(1).map(String::as_str) {
        Some("lab-daemon") => return plimsoll_lab::daemon::daemon_main(arguments[2..].to_vec()),
        Some("lab-agent") => return plimsoll_lab::agent::agent_main(&arguments[2..]),
        _ => {}
    }
    match parse(&arguments) {
        Ok(arguments) => run(arguments).into(),
        Err(code) => code.into(),
    }
}

/// Wrong usage is an error (1): clap's own 2 would say that there are changes.
fn parse(arguments: &[String]) -> Result<Arguments, Exit> {
    let terminal = view::decide(colour_before_parsing(arguments), view::Detail::Normal);
    let choice = |colour| {
        if colour {
            ColorChoice::Always
        } else {
            ColorChoice::Never
        }
    };
    let parsed = Arguments::command()
        .color(choice(terminal.out.colour))
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            view::say(&printed(&error, terminal.out.colour));
            Exit::Done
        }
        _ => {
            view::tell(&printed(&error, terminal.err.colour));
            Exit::Error
        }
    })
}

fn printed(error: &clap::Error, colour: bool) -> String {
    let text = error.render();
    if colour {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}

/// Help and usage errors are printed while the arguments are still being parsed.
fn colour_before_parsing(arguments: &[String]) -> Colour {
    let own = arguments.iter().take_while(|a| a.as_str() != "--");
    let given: Vec<&str> = own.map(String::as_str).collect();
    let value = given.iter().enumerate().find_map(|(index, argument)| {
        match argument.strip_prefix("--color") {
            Some("") => given.get(index + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        }
    });
    match value {
        Some("always") => Colour::Always,
        Some("never") => Colour::Never,
        _ => Colour::Auto,
    }
}

fn run(arguments: Arguments) -> Exit {
    let context = Context::new(arguments.global);
    let result = runtime().and_then(|runtime| {
        let _inside = runtime.enter();
        // Sign-in and the lab share one TLS implementation; a second call only says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let result = runtime.block_on(command::run(&context, arguments.command));
        // A blocking call that hangs (a dead disk, a silent peer) must not hold the exit up.
        runtime.shutdown_background();
        result
    });
    result.unwrap_or_else(|failure| {
        match &failure.told {
            Some(told) => {
                context.view.refused(told);
                command::signals::of_diagnostics(&context, told);
            }
            None => {
                context.view.failure(&failure);
                command::signals::of_failure(&context, &failure);
            }
        }
        failure.exit
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new("cannot start: the system gives no threads or no timers").because(&error)
        })
}
