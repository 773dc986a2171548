//! `lab silence`: an application of the person's own answers in a guest, instead of the lab.

use super::{failed, lab};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use plimsoll_lab::seed::{Port, Protocol, Silence};

pub(super) async fn run(
    context: &Context,
    guest: &str,
    ports: &[String],
    undo: bool,
) -> Result<Exit, Failure> {
    let order = Silence {
        ports: ports
            .iter()
            .map(|text| port(text))
            .collect::<Result<_, _>>()?,
        undo,
    };
    lab(context)
        .await?
        .silence(guest, &order)
        .await
        .map_err(failed)?;
    let who = if undo { "the lab" } else { "your application" };
    context.view.note(&format!(
        "In {guest}, {who} answers on {}.",
        ports.join(", ")
    ));
    Ok(Exit::Done)
}

fn port(text: &str) -> Result<Port, Failure> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => None,
    };
    match (number.parse(), protocol) {
        (Ok(port), Some(protocol)) if port > 0 => Ok(Port { protocol, port }),
        _ => Err(Failure::new(format!("{text:?} is not a port"))
            .next("Write a port from 1 to 65535, and /udp where it is not TCP: 443, 53/udp")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_tcp_unless_they_say_otherwise() {
        let read = |text: &str| port(text).map(|p| (p.protocol, p.port)).ok();
        assert_eq!(read("443"), Some((Protocol::Tcp, 443)));
        assert_eq!(read("53/UDP"), Some((Protocol::Udp, 53)));
        for text in ["0", "65536", "53/sctp", "http", ""] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
