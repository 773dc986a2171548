//! Starting the daemon, once, however many commands want it at the same time.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Lab;
use crate::LabError;
use crate::daemon::ERROR;
use crate::layout::Layout;
use crate::namespaces;

/// Guests boot in a tenth of a second each; a loaded machine may take many times that.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// The emulator's port; none: any free one. A lab that is already up keeps its own.
    pub port: Option<u16>,
    /// How long without a request before the lab ends by itself; none: 30 minutes.
    pub idle: Option<Duration>,
}

pub(super) async fn ensure_up(
    directory: &Path,
    program: &Path,
    options: &StartOptions,
) -> Result<Lab, LabError> {
    if let Some(lab) = Lab::attach(directory) {
        return Ok(lab);
    }
    let layout = Layout::new(directory);
    // Here and not only in the daemon, so that the person gets the message at once and whole.
    namespaces::check()?;
    layout.create()?;
    let begun = Instant::now();
    let _starting = start_lock(&layout, begun).await?;
    // Another command may have started it while this one waited for the lock.
    if let Some(lab) = Lab::attach(directory) {
        return Ok(lab);
    }
    // A daemon that is just ending still holds its lock; its successor would fail on it.
    wait_until_down(&layout).await?;
    // What a killed daemon left behind; nobody may take it for the next one's.
    let _ = fs::remove_file(layout.lab_file());
    let mut daemon = spawn(&layout, directory, program, options)?;
    loop {
        if let Some(lab) = Lab::attach(directory) {
            return Ok(lab);
        }
        let ended = daemon.try_wait().ok().flatten();
        if ended.is_some() || begun.elapsed() > START_LIMIT {
            let _ = daemon.kill();
            return Err(LabError::NotStarted {
                detail: last_error(&layout),
                log: layout.log(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn start_lock(layout: &Layout, begun: Instant) -> Result<File, LabError> {
    let path = layout.start_lock();
    let file = File::create(&path).map_err(LabError::file("create", &path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(source)) => {
                return Err(LabError::file("lock", &path)(source));
            }
            Err(fs::TryLockError::WouldBlock) if begun.elapsed() > START_LIMIT => {
                return Err(LabError::NotStarted {
                    detail: "another command has been starting it for too long.".to_owned(),
                    log: layout.log(),
                });
            }
            Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn spawn(
    layout: &Layout,
    directory: &Path,
    program: &Path,
    options: &StartOptions,
) -> Result<Child, LabError> {
    let path = layout.log();
    let log = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(LabError::file("create", &path))?;
    let directory = std::path::absolute(directory).map_err(LabError::file("find", directory))?;
    let mut command = Command::new(program);
    command.arg("lab-daemon").arg(&directory);
    if let Some(port) = options.port {
        command.arg("--port").arg(port.to_string());
    }
    if let Some(idle) = options.idle {
        command.arg("--idle").arg(idle.as_secs().max(1).to_string());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .current_dir("/")
        .spawn()
        .map_err(|source| LabError::Spawn {
            program: program.display().to_string(),
            source,
        })
}

/// Why the daemon did not start, in its own words.
fn last_error(layout: &Layout) -> String {
    let text = fs::read_to_string(layout.log()).unwrap_or_default();
    let error = text.rfind(ERROR).map(|at| text[at + ERROR.len()..].trim());
    let words = error
        .or_else(|| text.lines().last())
        .filter(|words| !words.is_empty());
    words.unwrap_or("its daemon said nothing.").to_owned()
}

/// Whether a daemon lives: its lock ends with its process, however that ends.
pub(super) fn daemon_holds_lock(layout: &Layout) -> bool {
    let Ok(file) = File::open(layout.daemon_lock()) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

pub(super) async fn wait_until_down(layout: &Layout) -> Result<(), LabError> {
    let begun = Instant::now();
    while daemon_holds_lock(layout) {
        if begun.elapsed() > STOP_LIMIT {
            return Err(LabError::NotStarted {
                detail: "its daemon does not end.".to_owned(),
                log: layout.log(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
