//! Health probes: ports and paths that Azure refuses, settings that it ignores, and rules without one.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, int, place, text};
use crate::config::GuestMode;
use crate::config::desired::DesiredItem;

/// Ports that Azure does not probe with HTTP.
const FORBIDDEN: [i64; 9] = [19, 21, 25, 70, 110, 119, 143, 220, 993];

pub(super) fn check(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    for probe in &balancer.probes {
        let protocol = text(probe, "protocol").unwrap_or_default();
        path(balancer, probe, protocol, found);
        let port = int(probe, "port").unwrap_or(0);
        if protocol == "Http" && FORBIDDEN.contains(&port) {
            found.push(
                Found::on(&codes::PROBE_PORT, balancer, probe)
                    .at(
                        place(probe, "port"),
                        format!("Azure refuses HTTP probes on port {port}"),
                    )
                    .help("let the health endpoint listen on another port")
                    .help("or only open a connection: protocol = \"Tcp\", without request_path"),
            );
        }
        threshold(balancer, probe, found);
    }
    for rule in &balancer.rules {
        if rule.item.attributes.contains_key("probe") || balancer.mode_of(rule) == GuestMode::None {
            continue;
        }
        let problem = Found::on(&codes::NO_PROBE, balancer, rule.item).at(
            rule.item.span.clone(),
            "Azure sends to every member, also to one that is down",
        );
        found.push(match balancer.probes.as_slice() {
            [only] => problem.set(rule.item, "probe", &only.address, "ask the probe"),
            _ => problem.help("name a probe: probe = probe.NAME"),
        });
    }
}

fn path(balancer: &Balancer<'_>, probe: &DesiredItem, protocol: &str, found: &mut Vec<Found>) {
    let problem = || Found::on(&codes::PROBE_PATH, balancer, probe);
    match (protocol, text(probe, "request_path")) {
        ("Tcp", Some(_)) => found.push(
            problem()
                .at(place(probe, "request_path"), "a Tcp probe asks for no path")
                .note("Azure refuses a Tcp probe with a path")
                .set(probe, "protocol", "\"Http\"", "ask for the path")
                .help("or take request_path out"),
        ),
        ("Tcp", None) => {}
        (_, None) => found.push(
            problem()
                .at(
                    place(probe, "protocol"),
                    format!("an {protocol} probe asks for a path"),
                )
                .note(format!("Azure refuses an {protocol} probe without one"))
                .set(
                    probe,
                    "request_path",
                    "\"/healthz\"",
                    "name the path that answers 200",
                ),
        ),
        (_, Some(path)) if path.contains("://") => found.push(
            problem()
                .at(place(probe, "request_path"), "this is a whole URL")
                .note("Azure puts the VM's own address and the probe's port before the path")
                .help("write the path alone, from the slash on"),
        ),
        (_, Some(path)) if path.chars().any(|c| c.is_whitespace() || c.is_control()) => found.push(
            problem()
                .at(
                    place(probe, "request_path"),
                    "white space is no part of a path",
                )
                .help("write a space as %20"),
        ),
        (_, Some(path)) if !path.starts_with('/') => found.push(
            problem()
                .at(place(probe, "request_path"), "a path begins with a slash")
                .set(
                    probe,
                    "request_path",
                    &format!("{:?}", format!("/{path}")),
                    "begin with a slash",
                ),
        ),
        (_, Some(_)) => {}
    }
}

fn threshold(balancer: &Balancer<'_>, probe: &DesiredItem, found: &mut Vec<Found>) {
    let Some(number) = int(probe, "number_of_probes") else {
        return;
    };
    if probe.attributes.contains_key("probe_threshold") {
        return;
    }
    found.push(
        Found::on(&codes::NUMBER_OF_PROBES, balancer, probe)
            .at(
                place(probe, "number_of_probes"),
                "Azure changes a member's health after one result whatever this says",
            )
            .set(
                probe,
                "probe_threshold",
                &number.min(100).to_string(),
                "use the setting that works",
            ),
    );
}
