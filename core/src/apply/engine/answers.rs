//! What steps say on the way and what they answer, taken into the state.

use super::{Answer, LOOK, Run};
use crate::apply::perform::{Found, Word};
use crate::apply::{Event, Moved, WorldError};
use crate::state::StepStatus;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, select_biased};

impl<'a> Run<'a> {
    /// Waits for the next thing to happen, takes in all that happened with it, and writes the state once.
    pub(super) async fn next(
        &mut self,
        running: &mut FuturesUnordered<LocalBoxFuture<'a, Answer>>,
        words: &mut UnboundedReceiver<Word>,
    ) {
        let mut worth_saving = false;
        let mut look = self.world.clock.sleep(LOOK).fuse();
        select_biased! {
            answer = running.select_next_some() => {
                self.take(answer);
                worth_saving = true;
            }
            word = words.select_next_some() => worth_saving |= self.hear(word),
            () = look => {}
        }
        drop(look);
        while let Some(Some(answer)) = running.next().now_or_never() {
            self.take(answer);
            worth_saving = true;
        }
        while let Some(Some(word)) = words.next().now_or_never() {
            worth_saving |= self.hear(word);
        }
        if worth_saving && self.state_lost.is_none() {
            self.save().await;
        }
    }

    /// Whether the journal has to be written.
    fn hear(&mut self, word: Word) -> bool {
        match word {
            Word::Operation(id, url) => {
                let status = self
                    .state
                    .journal
                    .as_mut()
                    .and_then(|j| j.steps.get_mut(&id));
                match status {
                    Some(StepStatus::InFlight { operation, .. }) => {
                        *operation = Some(url);
                        true
                    }
                    Some(StepStatus::Done { .. } | StepStatus::Failed { .. }) | None => false,
                }
            }
            Word::Note(id, note) => {
                if let Some(step) = self.plan.step(id) {
                    (self.events)(Event::Progress {
                        step: id,
                        addr: step.addr.clone(),
                        note,
                    });
                }
                false
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        self.running.remove(&answer.step);
        let Some(step) = self.plan.step(answer.step) else {
            return;
        };
        match answer.result {
            Ok(found) => {
                let fingerprint = match &found {
                    Found::LoadBalancer(found) => Some(found.fingerprint()),
                    Found::PublicIp(found) => Some(found.fingerprint()),
                    Found::PublicIpPrefix(found) => Some(found.fingerprint()),
                    Found::Guest(_) | Found::Nothing => None,
                };
                match found {
                    Found::LoadBalancer(found) => self.known.load_balancer(&found),
                    Found::PublicIp(found) => self.known.public_ip(&found),
                    Found::Guest(facts) => self.known.guest(&step.addr, *facts),
                    // Its addresses become known with those that are taken from it.
                    Found::PublicIpPrefix(_) | Found::Nothing => {}
                }
                let intent = self.intent(step);
                for edit in &intent {
                    self.state.edit(edit);
                }
                self.ended.done.insert(step.id);
                self.note(step.id, StepStatus::Done { found: fingerprint });
                (self.events)(Event::Verified {
                    step: step.id,
                    addr: step.addr.clone(),
                    title: step.title.clone(),
                    milliseconds: answer.milliseconds,
                });
            }
            Err(WorldError::Stale { target, moved }) => {
                let what = moved.join(", ");
                self.stale.push(Moved {
                    target,
                    what: moved,
                });
                self.fail(
                    step,
                    &format!("it moved since it was planned: {what}"),
                    false,
                );
            }
            Err(error) => {
                let retryable = matches!(error, WorldError::Unavailable { .. });
                self.fail(step, &error.to_string(), retryable);
            }
        }
    }
}
