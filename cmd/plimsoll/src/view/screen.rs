//! The only place that writes to the two streams.

use crate::host::Host;
use std::io::Write;
use std::sync::OnceLock;

/// A pipeline acts upon some lines that it reads: what we print for people must never be one of them.
static HOST: OnceLock<Host> = OnceLock::new();

fn defused(text: &str) -> String {
    HOST.get_or_init(Host::here).defused(text)
}

/// Data, on standard output.
///
/// A reader that has gone away (`| head`) must not stop an apply half-way, so a failed write is no failure.
pub(crate) fn say(text: &str) {
    write(&mut std::io::stdout().lock(), &defused(text));
}

/// Talk, on standard error.
pub(crate) fn tell(text: &str) {
    write(&mut std::io::stderr().lock(), &defused(text));
}

/// A line for the pipeline itself, where it documents that it looks: standard output.
pub(crate) fn command(line: &str) {
    write(&mut std::io::stdout().lock(), line);
}

/// The same where standard output is a document. Both pipelines look at both streams.
pub(crate) fn command_aside(line: &str) {
    write(&mut std::io::stderr().lock(), line);
}

fn write(stream: &mut dyn Write, text: &str) {
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}
