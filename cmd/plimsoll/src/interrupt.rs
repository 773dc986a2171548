//! Ctrl-C and SIGTERM.
//!
//! Until something is written, a signal ends the work at once. While a plan is being applied, the first asks the engine to
//! finish what is in flight; the second ends the work at once, and so does a runner's patience. Either way the lock is
//! given back. What was in flight is in the journal.

use crate::exit::Exit;
use crate::failure::Failure;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Pipelines kill a job soon after they asked it to end: GitHub's runner after 7.5 s by a second signal and 2.5 s later for
/// good, Azure Pipelines' after 7.5 s and 2.5 s likewise. What takes longer is left to the journal, so that the lock is given back in time.
const RUNNERS_PATIENCE: Duration = Duration::from_secs(6);
/// Giving the lock back is one request; whoever asked twice does not wait for a silent server.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Both signals. From the first of these on, neither ends the program by itself any more.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let on = |kind| {
            signal(kind).map_err(|error| Failure::new("cannot listen to signals").because(&error))
        };
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

type Told = Box<dyn Fn() + Send>;

/// Watches for signals from when it is made until the program ends.
pub(crate) struct Interrupt {
    stop: Arc<AtomicBool>,
    /// Called at the first signal, once something is being written.
    writing: Arc<Mutex<Option<Told>>>,
    given_up: watch::Receiver<bool>,
}

impl Interrupt {
    /// `someone_waits`: a person sits there, who can send the second signal when their patience ends.
    pub(crate) fn watch(someone_waits: bool) -> Result<Self, Failure> {
        let mut signals = Signals::listen()?;
        let (give_up, given_up) = watch::channel(false);
        let stop = Arc::new(AtomicBool::new(false));
        let writing: Arc<Mutex<Option<Told>>> = Arc::default();
        let (flag, told) = (Arc::clone(&stop), Arc::clone(&writing));
        tokio::spawn(async move {
            signals.next().await;
            flag.store(true, Ordering::SeqCst);
            let is_writing = match &*told.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(tell) => {
                    tell();
                    true
                }
                None => false,
            };
            if is_writing {
                tokio::select! {
                    () = signals.next() => {}
                    () = tokio::time::sleep(RUNNERS_PATIENCE), if !someone_waits => {}
                }
            }
            let _ = give_up.send(true);
            tokio::select! {
                () = signals.next() => {}
                () = tokio::time::sleep(LAST_WORDS) => {}
            }
            std::process::exit(i32::from(Exit::Interrupted.code()));
        });
        Ok(Self {
            stop,
            writing,
            given_up,
        })
    }

    /// From now on the first signal only asks to stop, by the flag that this returns; `first` is called then.
    pub(crate) fn before_writing(&self, first: impl Fn() + Send + 'static) -> &AtomicBool {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(first));
        &self.stop
    }

    /// Ends when the work has to end at once.
    pub(crate) async fn given_up(&self) {
        let mut given_up = self.given_up.clone();
        if given_up.wait_for(|gave_up| *gave_up).await.is_err() {
            // Nobody watches any more: the program is ending.
            std::future::pending::<()>().await;
        }
    }
}
