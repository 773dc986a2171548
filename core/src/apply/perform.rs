//! One step, sent: what of the world it calls, and what it reads back.

use super::engine::World;
use super::observe::facts;
use super::{GuestOrder, Progress, WorldError};
use crate::model::guest::Claim;
use crate::model::observed::Observation;
use crate::plan::{AwaitedService, StepAction, StepId};
use futures::channel::mpsc::UnboundedSender;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the step read back.
pub(super) enum Found {
    LoadBalancer(Box<crate::model::LoadBalancer>),
    PublicIp(crate::model::PublicIp),
    PublicIpPrefix(crate::model::PublicIpPrefix),
    Guest(Box<crate::model::guest::GuestFacts>),
    Nothing,
}

/// A message of a step under way.
pub(super) enum Word {
    Operation(StepId, String),
    Note(StepId, String),
}

/// Sends it, and answers what was read back.
pub(super) async fn perform(
    world: &World<'_>,
    action: &StepAction,
    facts: Option<&crate::model::guest::GuestFacts>,
    claim: &Claim,
    run: u64,
    progress: &Speaker,
) -> Result<Found, WorldError> {
    let azure = world.write_azure;
    match action {
        StepAction::PutLoadBalancer {
            before,
            after,
            resource,
        } => {
            let found = azure
                .put_load_balancer(resource, before, after, progress)
                .await?;
            Ok(Found::LoadBalancer(Box::new(found)))
        }
        StepAction::PutPublicIp {
            before,
            after,
            resource,
        } => azure
            .put_public_ip(resource, before, after, progress)
            .await
            .map(Found::PublicIp),
        StepAction::PutPublicIpPrefix {
            before,
            after,
            resource,
        } => azure
            .put_public_ip_prefix(resource, before, after, progress)
            .await
            .map(Found::PublicIpPrefix),
        StepAction::DeletePublicIpPrefix { id, before } => azure
            .delete_public_ip_prefix(id, before, progress)
            .await
            .map(|()| Found::Nothing),
        StepAction::DeleteLoadBalancer { id, before } => azure
            .delete_load_balancer(id, before, progress)
            .await
            .map(|()| Found::Nothing),
        StepAction::DeletePublicIp { id, before } => azure
            .delete_public_ip(id, before, progress)
            .await
            .map(|()| Found::Nothing),
        StepAction::PutNetworkInterface { id, edits } => azure
            .put_network_interface(id, edits, progress)
            .await
            .map(|_| Found::Nothing),
        StepAction::Guest(step) => {
            if step.ensure.is_empty() && step.release.is_empty() {
                return Ok(Found::Nothing);
            }
            let Some(facts) = facts else {
                let message = format!(
                    "{} was never read. This is a bug in plimsoll.",
                    step.guest.addr
                );
                return Err(WorldError::Refused { message });
            };
            let order = GuestOrder {
                step,
                facts,
                claim,
                run,
            };
            let facts = world.write_guests.enact(&order).await?;
            Ok(Found::Guest(Box::new(facts)))
        }
        StepAction::WaitForListeners { seconds, services } => {
            wait_for_listeners(world, Duration::from_secs(*seconds), services, progress).await
        }
        StepAction::Drain { seconds } => {
            world.clock.sleep(Duration::from_secs(*seconds)).await;
            Ok(Found::Nothing)
        }
        StepAction::Record => Ok(Found::Nothing),
    }
}

/// Reads the guests again and again until an application listens wherever one is awaited.
async fn wait_for_listeners(
    world: &World<'_>,
    longest: Duration,
    services: &[AwaitedService],
    progress: &Speaker,
) -> Result<Found, WorldError> {
    /// Applications take seconds to start, and a read is a round trip.
    const BETWEEN: Duration = Duration::from_secs(2);
    let began = world.clock.monotonic();
    let mut silent: Vec<&AwaitedService> = services.iter().collect();
    loop {
        // All of them at once: guests that hang must not add up to more than the wait.
        let guests: BTreeMap<_, _> = silent.iter().map(|s| (&s.guest.addr, &s.guest)).collect();
        let facts = facts(guests.into_values(), world.read_guests).await;
        let facts: BTreeMap<_, _> = facts.into_iter().collect();
        silent.retain(|service| {
            let found = facts
                .get(&service.guest.addr)
                .and_then(Observation::present);
            !found.is_some_and(|f| f.answers(service.protocol, &service.destination, service.port))
        });
        let Some(first) = silent.first() else {
            return Ok(Found::Nothing);
        };
        let place = match first.port {
            Some(port) => format!("{} port {port} of {}", first.protocol, first.destination),
            None => format!("any port of {}", first.destination),
        };
        if world.clock.monotonic().saturating_sub(began) >= longest {
            let message = format!(
                "nothing listens on {place} in {} after {} s (rule {:?}); start the application and apply again",
                first.guest.addr,
                longest.as_secs(),
                first.rule
            );
            return Err(WorldError::Unavailable { message });
        }
        let more = silent.len() - 1;
        let others = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        progress.note(&format!(
            "{} does not listen on {place} yet{others}",
            first.guest.addr
        ));
        world.clock.sleep(BETWEEN).await;
    }
}

/// Carries a step's words to the engine, which alone writes the journal.
pub(super) struct Speaker {
    pub(super) id: StepId,
    pub(super) say: UnboundedSender<Word>,
}

impl Progress for Speaker {
    fn operation(&self, url: &str) {
        // The engine is gone only when the run has ended: nobody is left to tell.
        let _ = self
            .say
            .unbounded_send(Word::Operation(self.id, url.to_owned()));
    }

    fn note(&self, text: &str) {
        let _ = self
            .say
            .unbounded_send(Word::Note(self.id, text.to_owned()));
    }
}
