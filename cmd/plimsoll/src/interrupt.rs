//! Ctrl-C and SIGTERM. The first asks the engine to finish what is in flight; the second ends the program at once.

use crate::exit::Exit;
use crate::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// Watches from now on until the program ends; `first` is called at the first signal.
pub(crate) fn watch(first: impl Fn() + Send + 'static) -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        signals.next().await;
        flag.store(true, Ordering::SeqCst);
        first();
        signals.next().await;
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(stop)
}
