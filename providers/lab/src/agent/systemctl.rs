//! `systemctl` of a lab guest, whose units are files and nothing else.
//!
//! What the scripts for real guests call works with the same effect on files; everything else is
//! refused, so that no script can believe in something that did not happen.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{boot, unit};

const UNITS: &str = "/etc/systemd/system";

pub(super) fn systemctl(arguments: &[&str]) -> ExitCode {
    let options: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|it| it.starts_with('-'))
        .collect();
    let mut words = arguments.iter().copied().filter(|it| !it.starts_with('-'));
    let verb = words.next().unwrap_or_default();
    let names: Vec<String> = words
        .map(|name| {
            if name.contains('.') {
                name.to_owned()
            } else {
                format!("{name}.service")
            }
        })
        .collect();
    let now = options.contains(&"--now");
    let quiet = options.iter().any(|it| matches!(*it, "-q" | "--quiet"));
    let each = |act: &dyn Fn(&str) -> Result<(), String>| {
        let mut code = ExitCode::SUCCESS;
        for name in &names {
            if let Err(error) = act(name) {
                complain(&format!("{name}: {error}"));
                code = ExitCode::FAILURE;
            }
        }
        code
    };
    match verb {
        "daemon-reload" => ExitCode::SUCCESS,
        "enable" => each(&|name| {
            enable(name)?;
            if now { start(name) } else { Ok(()) }
        }),
        "disable" => each(&|name| {
            disable(name)?;
            if now {
                // The units of a lab guest hold no process that could be stopped.
                let _ = fs::remove_file(Path::new(boot::ACTIVE).join(name));
            }
            Ok(())
        }),
        "start" => each(&start),
        // Exit codes and words of systemctl(1): 3 for inactive, 1 for disabled, 4 for not found.
        "is-active" => answer(&names, quiet, |name| {
            if Path::new(boot::ACTIVE).join(name).exists() {
                ("active", 0)
            } else {
                ("inactive", 3)
            }
        }),
        "is-enabled" => answer(&names, quiet, |name| {
            match unit::find(Path::new("/"), name) {
                _ if !links(name).is_empty() => ("enabled", 0),
                Some(_) => ("disabled", 1),
                None => ("not-found", 4),
            }
        }),
        _ => {
            complain(&format!(
                "`systemctl {verb}` does not exist in a lab guest: its units are files that a boot runs \
                 (known: daemon-reload, enable, disable, start, is-active, is-enabled)."
            ));
            ExitCode::FAILURE
        }
    }
}

fn start(name: &str) -> Result<(), String> {
    let path = unit::find(Path::new("/"), name).ok_or("there is no such unit.")?;
    let unit = unit::read(&path)?;
    // A oneshot that has run and remains is not run again; the lab's units all remain.
    if Path::new(boot::ACTIVE).join(name).exists() {
        return Ok(());
    }
    boot::start(name, &unit)
}

fn enable(name: &str) -> Result<(), String> {
    let path = unit::find(Path::new("/"), name).ok_or("there is no such unit.")?;
    let unit = unit::read(&path)?;
    if unit.wanted_by.is_empty() {
        return Err("its [Install] section has no WantedBy=.".to_owned());
    }
    for target in &unit.wanted_by {
        let folder = Path::new(UNITS).join(format!("{target}.wants"));
        let link = folder.join(name);
        fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        match symlink(&path, &link) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("cannot link {}: {error}", link.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn disable(name: &str) -> Result<(), String> {
    for link in links(name) {
        fs::remove_file(&link)
            .map_err(|error| format!("cannot remove {}: {error}", link.display()))?;
    }
    Ok(())
}

/// The wants links of a unit, in whatever target.
fn links(name: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(UNITS)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".wants"))
        .map(|entry| entry.path().join(name))
        .filter(|link| link.is_symlink())
        .collect();
    found.sort();
    found
}

/// Prints one word a unit; succeeds if any unit is in the good state, as systemctl does.
fn answer(names: &[String], quiet: bool, state: impl Fn(&str) -> (&'static str, u8)) -> ExitCode {
    let mut best = 4;
    for name in names {
        let (word, code) = state(name);
        if !quiet {
            let _ = writeln!(io::stdout(), "{word}");
        }
        best = best.min(code);
    }
    ExitCode::from(best)
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
