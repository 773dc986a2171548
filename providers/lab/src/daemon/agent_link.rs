//! The daemon's end of an agent: orders out, reports in.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

use crate::LabError;
use crate::agent::wire::{Numbered, Order, Report};

/// Booting runs the guest's units, some of which may be slow on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What an agent reports unasked: a probe's key, whether it is up, and why not.
pub(crate) type HealthReport = (String, bool, String);

type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>>;

#[derive(Debug)]
pub(crate) struct AgentLink {
    role: String,
    pid: u32,
    next: AtomicU64,
    orders: mpsc::UnboundedSender<Numbered>,
    pending: Pending,
    alive: Arc<AtomicBool>,
    health: Mutex<Option<mpsc::UnboundedReceiver<HealthReport>>>,
}

impl AgentLink {
    /// Starts the agent and waits until it is ready. `announces_pid`: its first line is the number
    /// of process 1 of the namespace that was made for it.
    pub(crate) async fn start(
        role: &str,
        command: std::process::Command,
        announces_pid: bool,
    ) -> Result<Self, LabError> {
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| LabError::Spawn {
                program: format!("the {role} agent"),
                source,
            })?;
        let gone = |detail: &str| LabError::AgentGone {
            role: role.to_owned(),
            detail: detail.to_owned(),
        };
        let output = child
            .stdout
            .take()
            .ok_or_else(|| gone("it has no output"))?;
        let mut input = child.stdin.take().ok_or_else(|| gone("it has no input"))?;
        let mut lines = BufReader::new(output).lines();
        let mut pid = child.id().unwrap_or_default();
        let ready = async {
            if announces_pid {
                let line = lines.next_line().await.ok().flatten()?;
                pid = line.trim().parse().ok()?;
            }
            let line = lines.next_line().await.ok().flatten()?;
            matches!(serde_json::from_str(&line), Ok(Report::Ready)).then_some(())
        };
        tokio::time::timeout(START_LIMIT, ready)
            .await
            .map_err(|_| gone("it was not ready in time"))?
            .ok_or_else(|| gone("it ended before it was ready"))?;

        let (orders, mut inbox) = mpsc::unbounded_channel::<Numbered>();
        tokio::spawn(async move {
            while let Some(order) = inbox.recv().await {
                let mut line = serde_json::to_vec(&order).expect("orders are plain data");
                line.push(b'\n');
                if input.write_all(&line).await.is_err() {
                    break;
                }
            }
        });
        let (health_reports, health) = mpsc::unbounded_channel();
        let link = Self {
            role: role.to_owned(),
            pid,
            next: AtomicU64::new(1),
            orders,
            pending: Pending::default(),
            alive: Arc::new(AtomicBool::new(true)),
            health: Mutex::new(Some(health)),
        };
        let reader = read(
            child,
            lines,
            Arc::clone(&link.pending),
            Arc::clone(&link.alive),
            health_reports,
        );
        tokio::spawn(reader);
        Ok(link)
    }

    /// The process that holds the agent's namespaces, as the host numbers it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// The agent's unasked reports; can be taken once.
    pub(crate) fn health(&self) -> Option<mpsc::UnboundedReceiver<HealthReport>> {
        self.health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(crate) async fn order(&self, order: Order) -> Result<Value, LabError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, answer);
        let gone = || LabError::AgentGone {
            role: self.role.clone(),
            detail: "it no longer answers".to_owned(),
        };
        if !self.is_alive() || self.orders.send(Numbered { number, order }).is_err() {
            return Err(gone());
        }
        match answered.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(detail)) => Err(LabError::Agent {
                role: self.role.clone(),
                detail,
            }),
            Err(_) => Err(gone()),
        }
    }

    /// Ends the agent's namespaces at once, with all that runs in them.
    pub(crate) async fn kill(&self) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // Already gone is just as well.
            let _ = kill_process(pid, Signal::KILL);
        }
        for _ in 0..500 {
            if !self.is_alive() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn read(
    mut child: Child,
    mut lines: Lines<BufReader<ChildStdout>>,
    pending: Pending,
    alive: Arc<AtomicBool>,
    health: mpsc::UnboundedSender<HealthReport>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        let (number, result) = match serde_json::from_str(&line) {
            Ok(Report::Done { number, result }) => (number, Ok(result)),
            Ok(Report::Failed { number, error }) => (number, Err(error)),
            Ok(Report::Health { key, up, detail }) => {
                // The daemon is going down when nobody listens.
                let _ = health.send((key, up, detail));
                continue;
            }
            Ok(Report::Ready) | Err(_) => continue,
        };
        let waiting = pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&number);
        if let Some(waiting) = waiting {
            // Whoever asked may have given up.
            let _ = waiting.send(result);
        }
    }
    // Dead before reaped: from here on the number may belong to somebody else.
    alive.store(false, Ordering::Release);
    pending
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    let _ = child.wait().await;
}
