//! The only place that writes to the two streams.

use std::io::Write;

/// Data, on standard output.
///
/// A reader that has gone away (`| head`) must not stop an apply half-way, so a failed write is no failure.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Talk, on standard error.
pub(crate) fn tell(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
