//! `state`: looks into the record and mends it by hand. Nothing here touches Azure or a guest.

use crate::args::{LockArguments, StateCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::{StateShown, say, tell};
use crate::{clock, pipeline, state, who};
use plimsoll_core::config::Settings;
use plimsoll_core::model::diag::did_you_mean;
use plimsoll_core::state::{Forgotten, Part, State};
use plimsoll_store::{HeldState, Unlocked};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

pub(crate) async fn run(context: &Context, command: StateCommand) -> Result<Exit, Failure> {
    // The configuration says where the state is.
    let loaded = pipeline::load(context)?;
    let settings = &loaded.configuration.settings;
    match command {
        StateCommand::List => list(context, settings).await,
        StateCommand::Show { part: None } => overview(context, settings).await,
        StateCommand::Show { part: Some(part) } => show(context, settings, &part).await,
        StateCommand::Rm {
            parts,
            dry_run,
            lock,
        } => remove(context, settings, &parts, dry_run, &lock).await,
        StateCommand::Mv { from, to, lock } => rename(context, settings, (&from, &to), &lock).await,
        StateCommand::Pull { backup } => pull(context, settings, backup).await,
        StateCommand::Push { file, force, lock } => {
            push(context, settings, &file, force, &lock).await
        }
        StateCommand::Unlock { force } => unlock(context, settings, force).await,
    }
}

async fn list(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    let state = recorded(context, settings).await?;
    context.view.state(&StateShown::List(&state));
    Ok(Exit::Done)
}

async fn overview(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    let store = state::store(context, settings)?;
    let state = recorded(context, settings).await?;
    let holder = store.holder().await.map_err(|e| state::of_store(&e))?;
    context.view.state(&StateShown::Overview {
        place: &store.place(),
        state: &state,
        holder: holder.as_ref(),
    });
    Ok(Exit::Done)
}

async fn show(context: &Context, settings: &Settings, text: &str) -> Result<Exit, Failure> {
    let state = recorded(context, settings).await?;
    let part = known(context, &state, text)?;
    context.view.state(&StateShown::Part {
        part: &part,
        state: &state,
    });
    Ok(Exit::Done)
}

async fn remove(
    context: &Context,
    settings: &Settings,
    texts: &[String],
    dry_run: bool,
    lock: &LockArguments,
) -> Result<Exit, Failure> {
    let forget = |mut state: State| -> Result<(State, Vec<(Part, Forgotten)>), Failure> {
        let mut gone = Vec::new();
        for text in texts {
            let part = known(context, &state, text)?;
            if let Some(forgotten) = state.forget(&part) {
                gone.push((part, forgotten));
            }
        }
        Ok((state, gone))
    };
    let gone = if dry_run {
        forget(recorded(context, settings).await?)?.1
    } else {
        under_lock(context, settings, "state rm", lock, async |held, now| {
            let (state, gone) = forget(now)?;
            save(held, state).await?;
            Ok(gone)
        })
        .await?
    };
    context.view.state(&StateShown::Forgotten {
        gone: &gone,
        dry_run,
    });
    Ok(Exit::Done)
}

async fn rename(
    context: &Context,
    settings: &Settings,
    (from, to): (&str, &str),
    lock: &LockArguments,
) -> Result<Exit, Failure> {
    let whole = |text: &str| {
        match text.parse::<Part>() {
        Ok(Part { addr, item: None }) => Ok(addr),
        Ok(part) => Err(Failure::new(format!("{part} is part of {}", part.addr)).next(
            "The state knows it by its name in Azure: give it that name in the configuration (name = …), and nothing moves.",
        )),
        Err(error) => Err(Failure::of(&error)),
    }
    };
    let (from, to) = (whole(from)?, whole(to)?);
    under_lock(
        context,
        settings,
        "state mv",
        lock,
        async |held, mut now| {
            now.readdress(&from, &to).map_err(|error| {
                Failure::of(&error)
                    .next("What it knows:")
                    .next(format!("  {}", context.call("state list")))
            })?;
            save(held, now).await
        },
    )
    .await?;
    context.view.state(&StateShown::Moved {
        from: &from,
        to: &to,
    });
    Ok(Exit::Done)
}

/// The text as it is, so that a damaged one can be looked at too.
async fn pull(context: &Context, settings: &Settings, backup: bool) -> Result<Exit, Failure> {
    let store = state::store(context, settings)?;
    let text = if backup {
        store.read_backup().await
    } else {
        store.read().await
    };
    match text.map_err(|error| state::of_store(&error))? {
        Some(text) => {
            say(&text);
            Ok(Exit::Done)
        }
        None if backup => Err(Failure::new(format!("{} has no backup", store.place()))
            .next("There is one as soon as a state is written over another.")),
        None => Err(nothing(context, &store.place())),
    }
}

async fn push(
    context: &Context,
    settings: &Settings,
    file: &Path,
    force: bool,
    lock: &LockArguments,
) -> Result<Exit, Failure> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(context.path(file))
    };
    let shown = file.display();
    let text = text.map_err(|error| {
        Failure::new(format!("cannot read {shown}"))
            .because(&error)
            .next("Paths after -C DIR are seen from that directory; `-` is standard input.")
    })?;
    let mut new = State::parse(&text).map_err(|error| {
        Failure::new(format!("{shown} cannot become the state"))
            .because(&error)
            .next("Nothing was written.")
    })?;
    let serial = state::under_lock(
        context,
        settings,
        "state push",
        lock.patience(),
        async |held, _| {
            let place = state::store(context, settings)?.place();
            let now = held.read().await.map_err(|e| state::of_store(&e))?;
            let now = match state::parse(context, &place, now) {
                Ok(now) => now,
                // What is there is damaged, which is why something else is to take its place.
                Err(_) if force => None,
                Err(refused) => return Err(refused),
            };
            if let (Some(now), false) = (&now, force) {
                may_replace(now, &new)?;
            }
            // Whoever planned on what was there must notice, also when it is put back.
            let newest = now.map_or(0, |now| now.serial);
            new.serial = newest.max(new.serial);
            save(held, new).await
        },
    )
    .await?;
    context.view.note(&format!("Written as serial {serial}."));
    Ok(Exit::Done)
}

/// What Terraform refuses too.
fn may_replace(now: &State, new: &State) -> Result<(), Failure> {
    let why = if now.lineage != new.lineage {
        format!(
            "its lineage is {}, that of the state is {}: they are two different states",
            new.lineage, now.lineage
        )
    } else if now.deployment != new.deployment {
        format!(
            "it is of deployment {}, the state is of {}",
            new.deployment, now.deployment
        )
    } else if new.serial < now.serial {
        format!(
            "it is serial {}, the state is serial {}: what was written since would be lost",
            new.serial, now.serial
        )
    } else {
        return Ok(());
    };
    Err(
        Failure::new("this does not follow on the state that is there")
            .next(format!("Nothing was written: {why}."))
            .next("If it is meant, push it with --force."),
    )
}

async fn unlock(context: &Context, settings: &Settings, force: bool) -> Result<Exit, Failure> {
    let store = state::store(context, settings)?;
    let holder = store.holder().await.map_err(|e| state::of_store(&e))?;
    if !force {
        if let Some(holder) = &holder {
            tell(&format!("{holder}.\n"));
        }
        if !context.terminal.asks {
            return Err(
                Failure::new("nobody is there to say yes, so nothing was unlocked")
                    .next("If that run is surely dead:")
                    .next(format!("  {}", context.call("state unlock --force"))),
            );
        }
        tell(
            "Take its lock away? If it still runs, it stops before its next write. Only `yes` is a yes: ",
        );
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).map(|_| answer)
        });
        if !matches!(answer.await, Ok(Ok(answer)) if answer.trim() == "yes") {
            context.view.note("Nothing was unlocked.");
            return Ok(Exit::Error);
        }
    }
    let words = match store.unlock().await.map_err(|e| state::of_store(&e))? {
        Unlocked::Broken => "Unlocked.",
        Unlocked::WasNotLocked => "It was not locked.",
    };
    context.view.note(words);
    Ok(Exit::Done)
}

async fn recorded(context: &Context, settings: &Settings) -> Result<State, Failure> {
    match state::read(context, settings).await? {
        Some(state) => Ok(state),
        None => Err(nothing(context, &state::store(context, settings)?.place())),
    }
}

fn nothing(context: &Context, place: &str) -> Failure {
    Failure::new(format!("there is no state yet in {place}"))
        .next("The first apply writes it:")
        .next(format!("  {}", context.call("apply")))
}

/// A part that the state knows, whatever case Azure wrote its name in.
fn known(context: &Context, state: &State, text: &str) -> Result<Part, Failure> {
    let part: Part = text.parse().map_err(|error| Failure::of(&error))?;
    let parts = state.parts();
    let shown: Vec<String> = parts.iter().map(Part::to_string).collect();
    let wanted = part.to_string();
    match shown.iter().position(|s| s.eq_ignore_ascii_case(&wanted)) {
        Some(at) => Ok(parts[at].clone()),
        None => {
            let failure = Failure::new(format!("the state does not know {part}"));
            let near = did_you_mean(&wanted, shown.iter().map(String::as_str));
            Err(match near {
                Some(near) => failure.next(format!("Did you mean {near}?")),
                None => failure,
            }
            .next("What it knows:")
            .next(format!("  {}", context.call("state list"))))
        }
    }
}

/// A change of the state that is there.
async fn under_lock<T>(
    context: &Context,
    settings: &Settings,
    operation: &str,
    lock: &LockArguments,
    work: impl AsyncFnOnce(&dyn HeldState, State) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let patience: Duration = lock.patience();
    state::under_lock(context, settings, operation, patience, async |held, _| {
        let place = state::store(context, settings)?.place();
        let text = held.read().await.map_err(|e| state::of_store(&e))?;
        match state::parse(context, &place, text)? {
            Some(now) => work(held, now).await,
            None => Err(nothing(context, &place)),
        }
    })
    .await
}

/// One serial on, by whoever runs this; the new serial.
async fn save(held: &dyn HeldState, mut state: State) -> Result<u64, Failure> {
    state.serial += 1;
    let mut writer = who::writer();
    writer.at = clock::now();
    state.written = Some(writer);
    held.save(&state.text())
        .await
        .map_err(|error| Failure::of(&error))?;
    Ok(state.serial)
}
