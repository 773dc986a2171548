//! Guests that are reached through Azure: which virtual machine a guest is, and one script in it.

use async_trait::async_trait;
use plimsoll_azure::{Client, RunCommandError, Shell, run_command, wire};
use plimsoll_core::apply::Progress;
use plimsoll_core::config::Configuration;
use plimsoll_core::model::guest::{Connection, GuestRef, Os};
use plimsoll_core::model::{Addr, ArmId};
use plimsoll_guest::transport::{RunCommand, RunInMachine, TransportError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// For one script with its whole answer: it comes in windows, each of which takes 20 s or more, behind whatever else runs
/// in that machine.
const TIME: Duration = Duration::from_secs(20 * 60);

/// `PLIMSOLL_RUN_COMMAND_TIMEOUT` in seconds is for machines that take longer; Azure itself ends a script after 90 minutes.
pub(crate) fn transport(
    client: Client,
    configuration: &Configuration,
    progress: Arc<dyn Progress>,
) -> RunCommand {
    let guests = configuration.desired.guests.iter();
    let interfaces = guests
        .map(|(addr, guest)| {
            let ids = guest.interfaces.iter().map(|nic| nic.id.clone());
            (addr.clone(), ids.collect())
        })
        .collect();
    let given = std::env::var("PLIMSOLL_RUN_COMMAND_TIMEOUT").ok();
    let given = given.and_then(|text| text.parse().ok());
    let time = given.map_or(TIME, Duration::from_secs);
    let time = time.min(run_command::LONGEST);
    let machines = Machines {
        client,
        interfaces,
        time,
        progress,
        name: format!("plimsoll-{}", configuration.settings.deployment),
    };
    RunCommand::new(Box::new(machines), time)
}

struct Machines {
    client: Client,
    interfaces: BTreeMap<Addr, Vec<ArmId>>,
    time: Duration,
    progress: Arc<dyn Progress>,
    /// Of a managed run command. A deployment runs one script at a time in a machine, and writes over what a run left there
    /// that was killed.
    name: String,
}

impl Machines {
    /// What the connection block says, or else the machine that the guest's network interface is attached to.
    async fn machine(&self, guest: &GuestRef) -> Result<ArmId, TransportError> {
        if let Connection::RunCommand {
            virtual_machine: Some(id),
            ..
        } = &guest.connection
        {
            return Ok(id.clone());
        }
        for id in self.interfaces.get(&guest.addr).into_iter().flatten() {
            let found = self.client.get(id, self.progress.as_ref()).await;
            let found = found.map_err(|error| failed(&error.into()))?;
            let machine = found.and_then(|document| {
                wire::decode_network_interface(id, &document.body).virtual_machine
            });
            if let Some(machine) = machine {
                return Ok(machine);
            }
        }
        Err(TransportError::Unusable(
            "no network interface of this guest is attached to a virtual machine; write virtual_machine = \"/subscriptions/…\" into its connection block".to_owned(),
        ))
    }
}

#[async_trait]
impl RunInMachine for Machines {
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<String, TransportError> {
        let machine = self.machine(guest).await?;
        let shell = match guest.os {
            Os::Linux => Shell::Posix,
            Os::Windows => Shell::PowerShell,
        };
        let (progress, time) = (self.progress.as_ref(), self.time);
        let managed = matches!(
            guest.connection,
            Connection::RunCommand { managed: true, .. }
        );
        let printed = if managed {
            let name = &self.name;
            run_command::run_managed(&self.client, &machine, name, script, time, progress).await
        } else {
            run_command::run(&self.client, &machine, shell, script, time, progress).await
        };
        printed
            .map(|printed| printed.stdout)
            .map_err(|error| failed(&error))
    }
}

fn failed(error: &RunCommandError) -> TransportError {
    let text = match error {
        RunCommandError::Arm(error) => error.text(),
        other => other.to_string(),
    };
    match error {
        RunCommandError::Gone(_) => TransportError::Gone(text),
        error if error.is_retryable() => TransportError::Unavailable(text),
        _ => TransportError::Unusable(text),
    }
}
