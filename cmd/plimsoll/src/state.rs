//! The state: where it is kept, its lock, and what is in it.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::{who, world};
use plimsoll_core::config::{Backend, Blob, Settings};
use plimsoll_core::state::{State, StateError};
use plimsoll_store::{
    BlobAccess, BlobPlace, BlobStore, HeldState, LocalStore, SharedAccessSignature, StateStore,
    StoreError,
};
use std::path::Path;
use std::time::{Duration, Instant};
use url::Url;

/// Where the state is: the lab's own place, or the backend's.
pub(crate) fn store(
    context: &Context,
    settings: &Settings,
) -> Result<Box<dyn StateStore>, Failure> {
    let in_lab = context.global.lab;
    let local = |path: &Path| Box::new(LocalStore::new(context.path(path)));
    match &settings.backend {
        // A blob on this machine is as local as the lab is.
        Backend::Azblob(at) if !in_lab || is_loopback(at) => Ok(Box::new(blob(at, settings)?)),
        Backend::Local { path } if !in_lab => Ok(local(Path::new(path))),
        Backend::Azblob(_) | Backend::Local { .. } => {
            Ok(local(Path::new(".plimsoll/lab/state.json")))
        }
    }
}

fn is_loopback(at: &Blob) -> bool {
    let url = at.endpoint.as_deref().and_then(|e| Url::parse(e).ok());
    match url.as_ref().and_then(Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A SAS token from the environment, where azurerm and the Azure CLI look for one too; else Microsoft Entra ID.
fn blob(at: &Blob, settings: &Settings) -> Result<BlobStore, Failure> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let sas = read("ARM_SAS_TOKEN").or_else(|| read("AZURE_STORAGE_SAS_TOKEN"));
    let access = match sas {
        Some(text) => SharedAccessSignature::parse(&text)
            .map(BlobAccess::Sas)
            .map_err(|error| Failure::of(&error))?,
        None => BlobAccess::Token(world::credential(settings)?),
    };
    let service = match &at.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => format!(
            "https://{}.{}",
            at.account,
            world::endpoint(settings)?.blob_domain()
        ),
    };
    let place = BlobPlace {
        account: at.account.clone(),
        container: at.container.clone(),
        key: at.key.clone(),
        service: Url::parse(&service).map_err(|error| {
            Failure::new(format!("{service} is not the address of a storage account"))
                .because(&error)
                .next("Write the endpoint of backend \"azblob\" as https://host[:port].")
        })?,
    };
    let transport = world::storage_transport(at.endpoint.is_some())?;
    BlobStore::new(&place, &access, transport).map_err(|error| Failure::of(&error))
}

/// What is there now, understood. `None` when there is no state yet.
pub(crate) async fn read(context: &Context, settings: &Settings) -> Result<Option<State>, Failure> {
    let store = store(context, settings)?;
    let text = store.read().await.map_err(|error| of_store(&error))?;
    parse(context, &store.place(), text)
}

/// A state that is not understood is left alone.
pub(crate) fn parse(
    context: &Context,
    place: &str,
    text: Option<String>,
) -> Result<Option<State>, Failure> {
    text.map(|text| State::parse(&text).map_err(|error| of_state(context, &error, place)))
        .transpose()
}

/// Does the work under the lock, and gives the lock back however the work ends. A signal ends the work at once until it
/// begins to write; then as [`Interrupt`] says.
pub(crate) async fn under_lock<T>(
    context: &Context,
    settings: &Settings,
    operation: &str,
    patience: Duration,
    work: impl AsyncFnOnce(&dyn HeldState, &Interrupt) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let interrupt = Interrupt::watch(context.terminal.asks)?;
    let store = store(context, settings)?;
    let held = tokio::select! {
        held = lock(context, &*store, operation, patience) => held?,
        () = interrupt.given_up() => return Err(interrupted()),
    };
    let done = tokio::select! {
        done = work(&*held, &interrupt) => done,
        () = interrupt.given_up() => Err(interrupted()),
    };
    if let Err(error) = held.release().await {
        context.view.note(&format!(
            "The lock could not be given back ({error}). It ends by itself."
        ));
    }
    done
}

fn interrupted() -> Failure {
    Failure::new("interrupted")
        .exiting(Exit::Interrupted)
        .next("What was under way is in the journal: the next run finds out how far it got.")
}

/// How often a lock that is held is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

async fn lock(
    context: &Context,
    store: &dyn StateStore,
    operation: &str,
    patience: Duration,
) -> Result<Box<dyn HeldState>, Failure> {
    let began = Instant::now();
    let mut said = false;
    loop {
        let error = match store.lock(&who::lock(operation)).await {
            Ok(held) => return Ok(held),
            Err(error) if error.is_locked() && began.elapsed() < patience => error,
            Err(error) => return Err(of_store(&error)),
        };
        if !said {
            context.view.note(&format!("Waiting: {error}"));
            said = true;
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

pub(crate) fn of_store(error: &StoreError) -> Failure {
    let failure = Failure::of(error);
    if error.is_locked() {
        failure.exiting(Exit::Locked)
    } else {
        failure
    }
}

/// Each kind has its own way out.
fn of_state(context: &Context, error: &StateError, place: &str) -> Failure {
    let failure = Failure::new(format!("cannot use the state {place}")).because(error);
    match error {
        StateError::Damaged(_) => failure
            .next("It was not touched. Put its backup in its place:")
            .next(format!(
                "  {} > backup.json",
                context.call("state pull --backup")
            ))
            .next(format!(
                "  {}",
                context.call("state push --force backup.json")
            ))
            .next("or move it away: the next plan then adopts what it finds."),
        StateError::Newer { .. } => {
            failure.next("It was not touched. Use the plimsoll that wrote it, or a newer one.")
        }
        StateError::Foreign => failure
            .next("It was not touched. Name another place in the backend block, or move it away."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::Parser;

    #[test]
    fn a_damaged_state_names_itself_and_its_backup() {
        let line = ["plimsoll", "-C", "web", "plan"];
        let context = Context::new(Arguments::try_parse_from(line).unwrap().global);
        let error = State::parse("{\"format").unwrap_err();
        let failure = of_state(&context, &error, "web.json");
        assert_eq!(failure.exit, Exit::Error);
        assert!(failure.message.contains("web.json"));
        assert!(
            failure
                .next
                .iter()
                .any(|n| n.contains("plimsoll -C web state pull --backup"))
        );
    }

    #[test]
    fn only_a_blob_on_this_machine_belongs_to_the_lab() {
        let at = |endpoint: Option<&str>| Blob {
            account: "a".into(),
            container: "c".into(),
            key: "k".into(),
            endpoint: endpoint.map(str::to_owned),
        };
        for near in [
            "http://127.0.0.1:10000/a",
            "https://localhost:1",
            "http://[::1]:2/a",
        ] {
            assert!(is_loopback(&at(Some(near))), "{near}");
        }
        assert!(!is_loopback(&at(None)));
        assert!(!is_loopback(&at(Some("https://10.0.0.1/127.0.0.1"))));
    }
}
