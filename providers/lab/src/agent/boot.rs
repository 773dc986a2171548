//! What a boot would run, from files: the oneshot services that the wants links name.
//!
//! Failures are logged to /run/boot.log and stop nothing, as a failed unit stops no boot.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::unit::{self, Unit};
use super::{GUEST_PATH, init::detached};

const LOG: &str = "/run/boot.log";

/// A file of a unit's name in here says that it has run since the boot.
pub(super) const ACTIVE: &str = "/run/lab/active";

/// The targets of a boot, in the order in which systemd reaches them.
const TARGETS: [&str; 3] = ["sysinit.target", "basic.target", "multi-user.target"];

pub(super) fn boot(notes: &[String]) {
    for note in notes {
        log(note);
    }
    for target in TARGETS {
        let folder = Path::new("/etc/systemd/system").join(format!("{target}.wants"));
        let mut units = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match unit::read(&entry.path()) {
                Ok(unit) => units.push((name, unit)),
                Err(error) => log(&format!("{name}: {error}")),
            }
        }
        for (name, unit) in unit::in_order(units) {
            if let Err(error) = start(&name, &unit) {
                log(&format!("{name}: {error}"));
            }
        }
    }
}

/// Runs a unit's commands to their end.
pub(super) fn start(name: &str, unit: &Unit) -> Result<(), String> {
    if !unit.oneshot {
        return Err("not run: the lab runs services of Type=oneshot only.".to_owned());
    }
    for command in &unit.commands {
        let (program, arguments) = command.words.split_first().ok_or("an empty ExecStart")?;
        let mut process = Command::new(program);
        detached(&mut process)
            .args(arguments)
            .env_clear()
            .env("PATH", GUEST_PATH)
            .current_dir("/");
        if let Some((output, errors)) =
            log_file().and_then(|file| Some((file.try_clone().ok()?, file)))
        {
            process.stdout(output).stderr(errors);
        }
        let failure = match process.status() {
            Ok(status) if status.success() => continue,
            Ok(status) => format!("`{program}` ended with {status}."),
            Err(error) => format!("`{program}` cannot be run: {error}."),
        };
        if command.may_fail {
            log(&format!("{name}: ignored: {failure}"));
        } else {
            return Err(failure);
        }
    }
    let marked =
        fs::create_dir_all(ACTIVE).and_then(|()| fs::write(Path::new(ACTIVE).join(name), ""));
    marked.map_err(|error| format!("ran, but cannot be marked as active: {error}"))?;
    log(&format!("{name}: done"));
    Ok(())
}

fn log_file() -> Option<File> {
    OpenOptions::new().append(true).create(true).open(LOG).ok()
}

pub(super) fn log(text: &str) {
    if let Some(mut file) = log_file() {
        // A log that cannot be written has nowhere to complain.
        let _ = writeln!(file, "{text}");
    }
}
