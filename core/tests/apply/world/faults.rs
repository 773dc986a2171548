//! What goes wrong, and when. Every write of the world and every save of the state passes here once.

use super::{Inner, World};
use plimsoll_core::apply::WorldError;
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused: nothing happens.
    Refuse,
    /// It happens, and the answer is an error.
    LoseAnswer,
    /// The process dies before it happens.
    DieBefore,
    /// It happens, and the process dies before it knows.
    DieAfter,
    /// It happens, and someone asks the run to stop.
    Stop,
    /// Nothing happens and no answer comes; someone asks the run to stop.
    Hang,
}

#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// By the number of the effect, counted from 0.
    pub at: BTreeMap<usize, Fault>,
    pub effects: usize,
    /// By the number of the effect: what others do just before it.
    pub meddling: BTreeMap<usize, usize>,
    pub dead: bool,
    /// Set once someone asks the run to stop.
    pub stop: Arc<AtomicBool>,
    /// How long effects are held up, so that they happen in another order; 0 is not at all.
    pub shuffle: u64,
}

impl Faults {
    /// A store answers or fails; what hangs is a write of Azure or of a guest.
    pub(super) fn spare_the_state(&mut self) {
        if self.at.get(&self.effects) == Some(&Fault::Hang) {
            self.at.remove(&self.effects);
            self.at.insert(self.effects + 1, Fault::Hang);
        }
    }

    fn next(&mut self) -> Option<Fault> {
        self.effects += 1;
        self.at.remove(&(self.effects - 1))
    }

    /// A few turns to wait, different each time.
    fn turns(&mut self) -> u64 {
        if self.shuffle == 0 {
            return 0;
        }
        self.shuffle = self
            .shuffle
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407)
            | 1;
        (self.shuffle >> 33) % 4
    }
}

impl World {
    /// Lets it happen, unless something goes wrong.
    pub(super) async fn effect<T>(
        &self,
        happen: impl FnOnce(&mut Inner) -> Result<T, WorldError> + Send,
    ) -> Result<T, WorldError> {
        let mut turns = self.with(|w| w.faults.turns());
        poll_fn(|context| {
            if turns == 0 {
                return Poll::Ready(());
            }
            turns -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let lost = || WorldError::Unavailable {
            message: "the connection was reset".to_owned(),
        };
        self.with(|w| {
            let now = w.faults.effects;
            let meddled = w.faults.meddling.remove(&now);
            if let (Some(number), Some(meddle)) = (meddled, w.meddler)
                && let Some(what) = meddle(w, number)
            {
                w.happened(format!("someone else: {what}"), false);
            }
        });
        let fault = self.with(|w| w.faults.next());
        match fault {
            Some(Fault::Refuse) => return Err(lost()),
            Some(Fault::DieBefore) => self.die().await,
            Some(Fault::Hang) => {
                self.with(|w| w.faults.stop.store(true, Ordering::SeqCst));
                pending::<()>().await;
            }
            Some(Fault::Stop) => self.with(|w| w.faults.stop.store(true, Ordering::SeqCst)),
            Some(Fault::LoseAnswer | Fault::DieAfter) | None => {}
        }
        if self.with(|w| w.faults.dead) {
            self.die().await;
        }
        let result = self.with(happen);
        match fault {
            Some(Fault::LoseAnswer) => result.and(Err(lost())),
            Some(Fault::DieAfter) => {
                self.die().await;
                result
            }
            Some(Fault::Refuse | Fault::DieBefore | Fault::Stop | Fault::Hang) | None => result,
        }
    }

    async fn die(&self) {
        self.with(|w| w.faults.dead = true);
        pending::<()>().await;
    }
}
