//! Azure, written: each write is conditional, waited for and read back.
//!
//! **Invariant:** one write is one GET, one PUT or DELETE, polls, and one GET. More are sent only when something moved,
//! broke or came late in between, and then it looks before it writes again.

use crate::client::{Answer, Client, Condition, Document};
use crate::error::{ArmError, Meaning, target};
use crate::judge::{Whole, differences};
use crate::patience::until_next_look;
use crate::wire::{decode_network_interface, encode_network_interface, has_failed};
use async_trait::async_trait;
use plimsoll_core::apply::{EnactAzure, Progress, WorldError};
use plimsoll_core::model::{
    ArmId, Fingerprint, LoadBalancer, NetworkInterface, PublicIp, PublicIpPrefix,
};
use plimsoll_core::plan::MembershipEdit;
use serde_json::Value;

/// How often to look again and write after an etag that moved for reasons that are not ours (a NIC that joined a pool),
/// a lost answer or a superseded operation. Whoever keeps losing that often competes with another writer.
const ROUNDS: u32 = 5;

/// How often a read after a finished write may still show the old state: 0.2 s, 0.4 s … 13 s in all.
const LATE_READS: u32 = 6;

/// A handle that writes.
#[derive(Clone, Debug)]
pub struct Writer {
    client: Client,
}

#[derive(Clone, Copy)]
enum Write<'a> {
    Put(&'a Value),
    Delete,
}

/// What the GET before a write found.
enum Found {
    Nothing,
    Etag(String),
    /// Azure sends one with every resource that we write; some gateway might not.
    WithoutEtag,
}

impl Found {
    fn of(current: Option<Document>) -> Self {
        match current.map(|document| document.etag) {
            None => Self::Nothing,
            Some(Some(etag)) => Self::Etag(etag),
            Some(None) => Self::WithoutEtag,
        }
    }
}

/// What one write came to.
enum Outcome {
    /// Azure says that it is done.
    Written,
    /// It may have happened or not: look.
    LookAgain(ArmError),
}

impl Writer {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Brings the resource from planned-before to planned-after.
    async fn put<T: Whole>(
        &self,
        resource: &T,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<T, WorldError> {
        let id = resource.id();
        let body = Value::Object(resource.encode());
        let mut last = None;
        for round in 0..ROUNDS {
            let current = self.client.at_rest(id, progress).await?;
            let observed = current.as_ref().map(|d| T::decode(id, &d.body));
            // What failed half-way is written again even if it reads as planned: Azure did not bring it about.
            let failed = current.as_ref().is_some_and(|d| has_failed(&d.body));
            let is_after =
                |sent: Option<&T>| differences(observed.as_ref(), after, sent).is_empty();
            if !failed
                && is_after(None)
                && let Some(observed) = observed
            {
                return Ok(observed);
            }
            let moved = differences(observed.as_ref(), before, None);
            if !moved.is_empty() {
                let done = is_after(Some(resource));
                match observed {
                    Some(observed) if done && !failed => return Ok(observed),
                    Some(_) if done => {}
                    Some(_) | None => return Err(stale(id, moved)),
                }
            }
            let found = Found::of(current);
            match self.write(id, Write::Put(&body), &found, progress).await? {
                Outcome::Written => {
                    return self.read_back(resource, before, after, progress).await;
                }
                Outcome::LookAgain(error) => last = Some(error),
            }
            tokio::time::sleep(until_next_look(round)).await;
        }
        Err(gave_up(id, last))
    }

    async fn delete<T: Whole>(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        let mut last = None;
        for round in 0..ROUNDS {
            let Some(current) = self.client.at_rest(id, progress).await? else {
                return Ok(());
            };
            let observed = T::decode(id, &current.body);
            let moved = differences(Some(&observed), before, None);
            if !moved.is_empty() {
                return Err(stale(id, moved));
            }
            let found = Found::of(Some(current));
            match self.write(id, Write::Delete, &found, progress).await? {
                Outcome::Written => return self.is_gone(id, progress).await,
                Outcome::LookAgain(error) => last = Some(error),
            }
            tokio::time::sleep(until_next_look(round)).await;
        }
        Err(gave_up(id, last))
    }

    /// One conditional write, waited for.
    async fn write(
        &self,
        id: &ArmId,
        write: Write<'_>,
        found: &Found,
        progress: &dyn Progress,
    ) -> Result<Outcome, WorldError> {
        // Where there was nothing, there must still be nothing: else two runs that create the same resource would write
        // over each other.
        let condition = match found {
            Found::Nothing => Condition::Absent,
            Found::Etag(etag) => Condition::Etag(etag),
            Found::WithoutEtag => Condition::None,
        };
        let mut answer = self.send(id, write, condition, progress).await;
        // Nothing says that every kind of resource takes the header. Where it is refused, the GET just before does.
        let refused = matches!(&answer, Err(e) if e.meaning() == Some(Meaning::HeaderRefused));
        if condition != Condition::None && refused {
            progress.note("a conditional write is not taken here, writing without the condition");
            answer = self.send(id, write, Condition::None, progress).await;
        }
        let ended = match answer {
            Ok(answer) => self.client.finish(id, &answer, progress).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => Ok(Outcome::Written),
            Err(error) => match error.meaning() {
                Some(Meaning::EtagMoved) => {
                    progress.note("it changed in the meantime, looking again");
                    Ok(Outcome::LookAgain(error))
                }
                Some(Meaning::Superseded) => {
                    progress.note("another write took its place, looking again");
                    Ok(Outcome::LookAgain(error))
                }
                _ if error.outcome_is_unknown() => {
                    progress.note("no answer from Azure, looking whether it was done");
                    Ok(Outcome::LookAgain(error))
                }
                _ => Err(error.into()),
            },
        }
    }

    async fn send(
        &self,
        id: &ArmId,
        write: Write<'_>,
        condition: Condition<'_>,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        match write {
            Write::Put(body) => self.client.put(id, body, condition, progress).await,
            Write::Delete => self.client.delete(id, condition, progress).await,
        }
    }

    /// The GET after the write: it must be as planned, though not necessarily at once.
    async fn read_back<T: Whole>(
        &self,
        resource: &T,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<T, WorldError> {
        let id = resource.id();
        for look in 0.. {
            let current = self.client.at_rest(id, progress).await?;
            if current.as_ref().is_some_and(|d| has_failed(&d.body)) {
                return Err(provisioning_failed(id));
            }
            let observed = current.map(|d| T::decode(id, &d.body));
            let wrong = differences(observed.as_ref(), after, Some(resource));
            let still_old = differences(observed.as_ref(), before, None).is_empty();
            match observed {
                Some(observed) if wrong.is_empty() => return Ok(observed),
                Some(_) | None if still_old && look < LATE_READS => {
                    tokio::time::sleep(until_next_look(look)).await;
                }
                Some(_) | None if still_old => return Err(came_to_nothing(id)),
                Some(_) | None => return Err(stored_otherwise(id, &wrong)),
            }
        }
        unreachable!("the loop above only ends by returning")
    }

    async fn is_gone(&self, id: &ArmId, progress: &dyn Progress) -> Result<(), WorldError> {
        for look in 0..LATE_READS {
            if self.client.at_rest(id, progress).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(until_next_look(look)).await;
        }
        Err(came_to_nothing(id))
    }

    /// Whether a NIC holds these memberships once the write is over, with the same patience for late reads.
    async fn read_back_interface(
        &self,
        sent: &NetworkInterface,
        edits: &[MembershipEdit],
        progress: &dyn Progress,
    ) -> Result<NetworkInterface, WorldError> {
        let id = &sent.id;
        for look in 0.. {
            let current = self.client.at_rest(id, progress).await?;
            if current.as_ref().is_some_and(|d| has_failed(&d.body)) {
                return Err(provisioning_failed(id));
            }
            let mut observed = match current {
                Some(document) => decode_network_interface(id, &document.body),
                None => return Err(stale(id, vec!["it no longer exists".to_owned()])),
            };
            let read = observed.clone();
            if !edit(&mut observed, edits)? {
                return Ok(read);
            }
            if look >= LATE_READS {
                return Err(came_to_nothing(id));
            }
            tokio::time::sleep(until_next_look(look)).await;
        }
        unreachable!("the loop above only ends by returning")
    }
}

#[async_trait]
impl EnactAzure for Writer {
    async fn put_load_balancer(
        &self,
        resource: &LoadBalancer,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<LoadBalancer, WorldError> {
        self.put(resource, before, after, progress).await
    }

    async fn resume(&self, operation: &str, progress: &dyn Progress) {
        self.client.resume(operation, progress).await;
    }

    async fn put_public_ip(
        &self,
        resource: &PublicIp,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<PublicIp, WorldError> {
        self.put(resource, before, after, progress).await
    }

    async fn put_public_ip_prefix(
        &self,
        resource: &PublicIpPrefix,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<PublicIpPrefix, WorldError> {
        self.put(resource, before, after, progress).await
    }

    async fn delete_load_balancer(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.delete::<LoadBalancer>(id, before, progress).await
    }

    async fn delete_public_ip(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.delete::<PublicIp>(id, before, progress).await
    }

    async fn delete_public_ip_prefix(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.delete::<PublicIpPrefix>(id, before, progress).await
    }

    async fn put_network_interface(
        &self,
        id: &ArmId,
        edits: &[MembershipEdit],
        progress: &dyn Progress,
    ) -> Result<NetworkInterface, WorldError> {
        let mut last = None;
        for round in 0..ROUNDS {
            let Some(current) = self.client.at_rest(id, progress).await? else {
                return Err(WorldError::Refused {
                    message: format!(
                        "{} does not exist, so it cannot join or leave a pool; check the id of the guest's network_interface",
                        target(id)
                    ),
                });
            };
            let mut interface = decode_network_interface(id, &current.body);
            if !edit(&mut interface, edits)? && !has_failed(&current.body) {
                return Ok(interface);
            }
            let body = Value::Object(encode_network_interface(&interface));
            let found = Found::of(Some(current));
            match self.write(id, Write::Put(&body), &found, progress).await? {
                Outcome::Written => {
                    return self.read_back_interface(&interface, edits, progress).await;
                }
                Outcome::LookAgain(error) => last = Some(error),
            }
            tokio::time::sleep(until_next_look(round)).await;
        }
        Err(gave_up(id, last))
    }
}

/// Makes the memberships as asked, and says whether that changed anything.
fn edit(interface: &mut NetworkInterface, edits: &[MembershipEdit]) -> Result<bool, WorldError> {
    let mut changed = false;
    for edit in edits {
        let configuration = interface
            .ip_configurations
            .iter_mut()
            .find(|(name, _)| name.eq_ignore_ascii_case(&edit.ip_configuration))
            .map(|(_, configuration)| configuration);
        let pools = match configuration {
            Some(configuration) => &mut configuration.backend_pools,
            // Nothing to leave.
            None if !edit.join => continue,
            None => {
                let known: Vec<&str> = interface
                    .ip_configurations
                    .keys()
                    .map(String::as_str)
                    .collect();
                return Err(WorldError::Refused {
                    message: format!(
                        "{} has no ip configuration {:?}, it has: {}; set ip_configuration in the guest's network_interface",
                        target(&interface.id),
                        edit.ip_configuration,
                        known.join(", ")
                    ),
                });
            }
        };
        let is_member = pools.contains(&edit.pool);
        if edit.join && !is_member {
            pools.push(edit.pool.clone());
            changed = true;
        }
        if !edit.join && is_member {
            pools.retain(|pool| *pool != edit.pool);
            changed = true;
        }
    }
    Ok(changed)
}

fn stale(id: &ArmId, moved: Vec<String>) -> WorldError {
    WorldError::Stale {
        target: target(id),
        moved,
    }
}

fn stored_otherwise(id: &ArmId, wrong: &[String]) -> WorldError {
    WorldError::Refused {
        message: format!(
            "{}: Azure stored something else than was sent ({}); look at it in the portal, then make a new plan",
            target(id),
            wrong.join(", ")
        ),
    }
}

/// Azure reported success and everything is as before: someone else's write won, without a word.
fn came_to_nothing(id: &ArmId) -> WorldError {
    WorldError::Unavailable {
        message: format!(
            "{}: Azure said that it was done, but it is as before; see whether something else writes to it, then run the same command again",
            target(id)
        ),
    }
}

fn provisioning_failed(id: &ArmId) -> WorldError {
    WorldError::Refused {
        message: format!(
            "{}: Azure stored it but says that its provisioning failed; look at its activity log, then run the same command again",
            target(id)
        ),
    }
}

/// After [`ROUNDS`] writes that came to nothing.
fn gave_up(id: &ArmId, last: Option<ArmError>) -> WorldError {
    match last {
        Some(error) if error.meaning() == Some(Meaning::EtagMoved) => stale(
            id,
            vec!["its etag moves faster than it can be written".to_owned()],
        ),
        Some(error) => error.into(),
        None => unreachable!("a round that neither returns nor leaves an error does not exist"),
    }
}
