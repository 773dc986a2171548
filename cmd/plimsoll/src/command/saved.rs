//! Saved plans: files that hold one plan each, with a checksum.

use crate::failure::Failure;
use plimsoll_core::plan::Plan;
use std::path::Path;

pub(crate) fn read(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("cannot read the plan {}", path.display()))
            .because(&error)
            .next("A plan is saved by `plimsoll plan --out FILE`. Paths after -C DIR are seen from that directory.")
    })?;
    Plan::parse(&text).map_err(|error| {
        Failure::new(format!("cannot use the plan {}", path.display()))
            .because(&error)
            .next("Make a new plan with `plimsoll plan --out FILE`.")
    })
}

pub(crate) fn write(plan: &Plan, path: &Path) -> Result<(), Failure> {
    whole(path, &plan.text(), "plan")
}

/// Whole or not at all: a pipeline must never pick up half a file.
pub(super) fn whole(path: &Path, text: &str, what: &str) -> Result<(), Failure> {
    let wrong = |error: &std::io::Error| {
        Failure::new(format!("cannot save the {what} as {}", path.display())).because(error)
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    std::fs::write(&beside, text).map_err(|error| wrong(&error))?;
    std::fs::rename(&beside, path).map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        wrong(&error)
    })
}
