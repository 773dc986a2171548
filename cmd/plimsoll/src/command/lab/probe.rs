//! `lab probe`: real packets from the client's namespace, one attempt each.

use super::{failed, lab};
use crate::context::Context;
use crate::destination;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::Probe;
use plimsoll_core::model::Protocol as Asked;
use plimsoll_lab::agent::ProbeOrder;
use plimsoll_lab::seed::Protocol;

pub(super) async fn run(
    context: &Context,
    destination: &str,
    number: u32,
) -> Result<Exit, Failure> {
    let asked = destination::parse(destination, "lab probe")?;
    let address = asked.socket;
    let protocol = match asked.protocol {
        Asked::Udp => Protocol::Udp,
        Asked::Tcp | Asked::All => Protocol::Tcp,
    };
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
    context.view.probes(&asked.to_string(), &probes);
    Ok(Exit::Different.when(!probes.iter().all(|probe| probe.ok)))
}
