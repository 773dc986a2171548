//! The network security groups in front of a member: with floating IP they see the frontend's address as destination.

use super::member::{Candidate, Way};
use super::{Fix, Hop, HopKind};
use crate::model::Protocol;
use crate::model::security::{Packet, Source, Verdict};
use std::net::{IpAddr, SocketAddr};

/// The probe where a group denies it, or may: Azure's own address to the VM's own.
pub(super) fn probe(
    way: &Way<'_>,
    candidate: &Candidate<'_>,
    own: IpAddr,
    port: u16,
) -> Option<Hop> {
    let id = candidate.ip_configuration.as_ref()?;
    let guard = way.question.observed.guard(&id.parent()?, id.name())?;
    let packet = Packet {
        protocol: Protocol::Tcp,
        source: Source::Probe,
        destination: own,
        destination_is_public: false,
        port: Some(port),
    };
    let at = SocketAddr::new(own, port);
    match guard.judge(&packet) {
        Verdict::Denied { by } => Some(Hop::broken(
            HopKind::Probe,
            format!("{at}: {} of {} denies it", by.rule, by.group.name()),
            Fix::Hand {
                what: format!(
                    "allow the service tag AzureLoadBalancer before {} in {}",
                    by.rule,
                    by.group.name()
                ),
            },
        )),
        Verdict::Depends { by, why } => Some(Hop::unknown(
            HopKind::Probe,
            format!(
                "{at}: {} of {} may deny it: {why}",
                by.rule,
                by.group.name()
            ),
        )),
        // What could not be read is said where the traffic itself is judged.
        Verdict::Allowed { .. } | Verdict::NoGroup | Verdict::Unread { .. } => None,
    }
}

/// `None` where nothing is known of the interface: nobody here declares it.
pub(super) fn hop(way: &Way<'_>, candidate: &Candidate<'_>) -> Option<Hop> {
    let id = candidate.ip_configuration.as_ref()?;
    let guard = way.question.observed.guard(&id.parent()?, id.name())?;
    let asked = &way.question.destination;
    let destination = if way.floating {
        asked.socket.ip()
    } else {
        candidate.own_address?
    };
    let packet = Packet {
        protocol: asked.protocol,
        source: if way.public {
            Source::Internet(None)
        } else {
            Source::VirtualNetwork(None)
        },
        destination,
        destination_is_public: way.public && way.floating,
        port: Some(way.backend_port),
    };
    let place = SocketAddr::new(destination, way.backend_port);
    let allow = || Fix::Hand {
        what: format!(
            "allow {} to {place} in a network security group of {}",
            asked.protocol, candidate.by
        ),
    };
    let kind = HopKind::SecurityGroup;
    Some(match guard.judge(&packet) {
        Verdict::Allowed { by } => {
            let by: Vec<String> = by
                .iter()
                .map(|by| format!("{} of {}", by.rule, by.group.name()))
                .collect();
            Hop::passes(kind, format!("{} allows it", by.join(" and ")))
        }
        Verdict::Denied { by } => Hop::broken(
            kind,
            format!("{} of {} denies {place}", by.rule, by.group.name()),
            allow(),
        ),
        Verdict::Depends { by, why } => Hop::unknown(
            kind,
            format!("{} of {} may deny {place}: {why}", by.rule, by.group.name()),
        ),
        Verdict::NoGroup if way.public => Hop::broken(
            kind,
            "none, and without one nothing comes in from the Internet",
            allow(),
        ),
        Verdict::NoGroup => Hop::passes(kind, "none"),
        Verdict::Unread { why } => Hop::unknown(kind, why),
    })
}
