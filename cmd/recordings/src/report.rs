//! The count of everything, and what is wrong, for people.

use crate::{CassetteError, bodies, judge, read_folder, replay};
use std::fmt;
use std::path::Path;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub files: usize,
    pub bodies: usize,
    pub decoded: usize,
    pub lossless: usize,
    pub quiet: usize,
    pub writes: usize,
    pub agreed: usize,
    /// What is wrong with the client's reading, one paragraph for each body.
    pub problems: Vec<String>,
    /// Where the emulator answers otherwise than Azure did.
    pub differences: Vec<String>,
}

impl Report {
    /// The client reads every body, writes it back whole, and sees no difference where there is none.
    pub fn is_clean(&self) -> bool {
        [self.decoded, self.lossless, self.quiet]
            .iter()
            .all(|count| *count == self.bodies)
    }
}

/// The line that says it all.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bodies in {} files: decoded {}, lossless {}, no false difference {}; emulator agrees on {} of {} writes",
            self.bodies,
            self.files,
            self.decoded,
            self.lossless,
            self.quiet,
            self.agreed,
            self.writes
        )
    }
}

pub fn report(folder: &Path) -> Result<Report, CassetteError> {
    let mut report = Report::default();
    for file in read_folder(folder)? {
        report.files += 1;
        for exchange in &file.exchanges {
            for body in bodies(exchange) {
                let judgement = judge(exchange, &body);
                report.bodies += 1;
                report.decoded += usize::from(judgement.undecoded.is_empty());
                report.lossless += usize::from(judgement.lost.is_empty());
                report.quiet += usize::from(judgement.false_differences.is_empty());
                let lines = judgement.lines();
                if !lines.is_empty() {
                    let place = format!("{} #{} {}", file.name, exchange.number, body.id);
                    report
                        .problems
                        .push(format!("{place}\n    {}", lines.join("\n    ")));
                }
            }
        }
        for agreement in replay(&file) {
            report.writes += 1;
            report.agreed += usize::from(agreement.differences.is_empty());
            report.differences.extend(agreement.told(&file.name));
        }
    }
    Ok(report)
}
