//! `lab probe`: real packets from the client's namespace, one attempt each.

use super::{failed, lab};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::Probe;
use plimsoll_lab::agent::ProbeOrder;
use plimsoll_lab::seed::Protocol;
use std::net::SocketAddr;

pub(super) async fn run(
    context: &Context,
    destination: &str,
    number: u32,
) -> Result<Exit, Failure> {
    let (address, protocol) = parse(destination)?;
    let order = ProbeOrder {
        protocol,
        count: number,
        ..ProbeOrder::tcp(address.ip(), address.port())
    };
    let answers = lab(context).await?.probe(&order).await.map_err(failed)?;
    let probes: Vec<Probe> = answers
        .into_iter()
        .map(|answer| Probe {
            guest: answer.guest,
            seen: answer.seen,
            ok: answer.ok,
            error: answer.error,
        })
        .collect();
    context
        .view
        .probes(&format!("{address}/{}", protocol.as_str()), &probes);
    Ok(Exit::Different.when(!probes.iter().all(|probe| probe.ok)))
}

fn parse(text: &str) -> Result<(SocketAddr, Protocol), Failure> {
    let wrong = |what: String| {
        Failure::new(what)
            .next("Write an address and a port, and /udp where it is not TCP:")
            .next("  plimsoll lab probe 65.52.0.1:80")
            .next("  plimsoll lab probe '[2001:db8::1]:53/udp'")
    };
    let (place, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(wrong(format!("{protocol:?} is neither tcp nor udp"))),
    };
    let address = place
        .parse()
        .map_err(|_| wrong(format!("{place:?} is not an address with a port")))?;
    Ok((address, protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let shown = |text: &str| {
            let (address, protocol) = parse(text).unwrap();
            format!("{address}/{}", protocol.as_str())
        };
        assert_eq!(shown("65.52.0.1:80"), "65.52.0.1:80/tcp");
        assert_eq!(shown("65.52.0.2:53/UDP"), "65.52.0.2:53/udp");
        assert_eq!(shown("[fd00::1]:80/tcp"), "[fd00::1]:80/tcp");
        for text in ["65.52.0.1", "65.52.0.1:80/icmp", "web:80", "fd00::1:80", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
