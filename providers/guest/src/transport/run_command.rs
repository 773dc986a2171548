//! Run Command: scripts that reach a guest through Azure Resource Manager, for guests that no ssh reaches.
//!
//! How a script gets into a virtual machine is the Azure provider's business. Here is what makes its answer whole: little
//! of it comes back at once, and whether the script succeeded is not said at all.

use super::{Output, Transport, TransportError};
use crate::linux::pack::{self, MOST, Part, PartError, WINDOW};
use crate::observe::show_probe;
use crate::{linux, windows};
use async_trait::async_trait;
use plimsoll_core::model::guest::{GuestRef, Os};
use std::fmt;
use std::time::Duration;

/// A guest that changes while it is read is read again this often.
const TRIES: usize = 3;

/// Runs a text in the virtual machine of a guest and brings back its standard output, or the end of it.
#[async_trait]
pub trait RunInMachine: Send + Sync {
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<String, TransportError>;
}

pub struct RunCommand {
    machine: Box<dyn RunInMachine>,
    time: Duration,
}

impl RunCommand {
    /// `time` bounds one script with all windows of its answer. One window takes 20 s or more.
    pub fn new(machine: Box<dyn RunInMachine>, time: Duration) -> Self {
        Self { machine, time }
    }

    async fn window(
        &self,
        guest: &GuestRef,
        script: &str,
        offset: usize,
    ) -> Result<Part, TransportError> {
        let packed = match guest.os {
            Os::Linux => linux::script::packed,
            Os::Windows => windows::script::packed,
        };
        let printed = self
            .machine
            .run(guest, &packed(script, offset, WINDOW))
            .await?;
        // Nothing of ours holds a carriage return; whoever carries the text from Windows may put some in.
        let part = pack::part(&printed.replace('\r', ""))?;
        if part.offset != offset {
            return Err(PartError::Missing.into());
        }
        Ok(part)
    }

    /// The script is run once for each window: it only reads, so it may. An answer that changed meanwhile begins anew.
    async fn read(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        for _ in 0..TRIES {
            let mut parts = vec![self.window(guest, script, 0).await?];
            let (total, digest) = (parts[0].total, parts[0].digest.clone());
            if total > MOST {
                return Err(PartError::TooLong(total).into());
            }
            let same = loop {
                let offset = parts.len() * WINDOW;
                if offset >= total {
                    break true;
                }
                let part = self.window(guest, script, offset).await?;
                if (part.total, part.digest.as_str()) != (total, digest.as_str()) {
                    break false;
                }
                parts.push(part);
            };
            if same {
                return Ok(pack::unpack(&parts)?);
            }
        }
        Err(PartError::Restless.into())
    }
}

impl fmt::Debug for RunCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunCommand")
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for RunCommand {
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        let probe = show_probe(guest.os);
        if script == probe {
            return self.read(guest, script).await;
        }
        // A write is run exactly once.
        let part = self.window(guest, script, 0).await?;
        if part.total <= WINDOW {
            return Ok(pack::unpack(&[part])?);
        }
        if part.status != 0 {
            return Err(PartError::TooLong(part.total).into());
        }
        // It did its work, and the facts that prove it can be read for themselves.
        self.read(guest, &probe).await
    }

    fn time(&self) -> Option<Duration> {
        Some(self.time)
    }
}
