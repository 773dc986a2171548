//! `cargo xtask recordings DIR`: the report on one folder of recordings.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person who runs it"
)]

use plimsoll_recordings::report;
use std::error::Error as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder] = arguments.as_slice() else {
        eprintln!("one folder of recordings, please");
        return ExitCode::FAILURE;
    };
    match report(Path::new(folder)) {
        Ok(report) => {
            for difference in &report.differences {
                println!("{difference}");
            }
            for problem in &report.problems {
                println!("{problem}");
            }
            println!("{report}");
            ExitCode::from(u8::from(!report.is_clean()))
        }
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}"));
            eprintln!("{error}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}
