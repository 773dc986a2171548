//! A destination as it was typed, or what is wrong with it and how to write it.

use crate::failure::Failure;
use plimsoll_core::plan::{Destination, NotADestination};

pub(crate) fn parse(text: &str, command: &str) -> Result<Destination, Failure> {
    text.parse().map_err(|error: NotADestination| {
        Failure::new(error.to_string())
            .next("Write an address and a port, and /udp where it is not TCP:")
            .next(format!("  plimsoll {command} 65.52.0.1:80"))
            .next(format!("  plimsoll {command} '[2001:db8::1]:53/udp'"))
    })
}
