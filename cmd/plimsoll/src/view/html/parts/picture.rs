//! The way of the packets: as a picture, and as the table of the Microsoft page.

use super::super::escaped;
use super::{MOST, more};
use crate::view::picture::{self, Column, Moment, Room, Tone, svg};
use crate::view::words;
use plimsoll_core::plan::{Plan, RuleNode, Topology};
use std::fmt::Write as _;

const ROOM: Room = Room {
    moment: Moment::Planned,
    rules: 40,
    guests: 24,
};

pub(in crate::view::html) fn topology(plan: &Plan, moment: Moment) -> String {
    let picture = picture::picture(&plan.topology, Room { moment, ..ROOM });
    if picture.is_empty() {
        return String::new();
    }
    let count = |column| picture.boxes.iter().filter(|b| b.column == column).count();
    let description = format!(
        "Packets go from {} over {} and {} to {}. The table below, Where packets arrive, says the same in words.",
        words::count(count(Column::Frontend), "frontend"),
        words::count(plan.topology.rules.len(), "rule"),
        words::count(count(Column::Pool), "backend pool"),
        words::count(plan.topology.guests.len(), "guest"),
    );
    let legend: String = picture
        .tones()
        .into_iter()
        .filter_map(|tone| {
            Some(format!(
                "<li class=\"tag {}\">{}</li>",
                tone.class(),
                tone.word()?
            ))
        })
        .collect();
    let mut caption = String::new();
    if !legend.is_empty() {
        let _ = write!(
            caption,
            "<ul class=\"legend\" aria-label=\"Colours\">{legend}</ul>"
        );
    }
    for note in &picture.left_out {
        let _ = write!(caption, "<p class=\"note\">{}</p>", escaped(note));
    }
    if !caption.is_empty() {
        caption = format!("<figcaption>{caption}</figcaption>");
    }
    format!(
        "<figure><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Picture of the topology\">\n{}</div>{caption}</figure>\n",
        svg::text(&picture, "The way of the packets", &description)
    )
}

/// The table of the Microsoft page, from the picture's own parts.
pub(in crate::view::html) fn map(plan: &Plan, moment: Moment) -> String {
    let topology = &plan.topology;
    if topology.rules.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Where packets arrive\"><table>\n<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Frontend</th><th scope=\"col\">Protocol</th><th scope=\"col\" class=\"number\">Port</th><th scope=\"col\">Destination in the guest</th><th scope=\"col\">Guests</th><th scope=\"col\">State</th></tr></thead>\n<tbody>\n",
    );
    let rules = topology.rules.iter().filter(|r| moment.draws(r.mark));
    for rule in rules.take(MOST) {
        out.push_str(&map_row(rule, topology, moment));
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(&more(topology.rules.len(), "rule"));
    out
}

fn map_row(rule: &RuleNode, topology: &Topology, moment: Moment) -> String {
    const NAMED: usize = 6;
    let frontend = rule.frontend.map(|f| &topology.frontends[f]);
    let address =
        frontend
            .and_then(|f| f.address.as_ref())
            .map_or("no address of its own".to_owned(), |w| match w.known() {
                Some(address) => address.to_string(),
                None => "known after apply".to_owned(),
            });
    let members = rule.pools.iter().flat_map(|p| &topology.pools[*p].members);
    let mut names: Vec<String> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    for member in members {
        let name = topology.guests[member.guest].addr.name().to_owned();
        if !names.contains(&name) {
            names.push(name);
            own.extend(member.address.map(|a| a.to_string()));
        }
        if names.len() > 2000 {
            break;
        }
    }
    let total = names.len();
    let shorten = |mut names: Vec<String>| {
        if names.len() > NAMED {
            let rest = names.len() - NAMED;
            names.truncate(NAMED);
            names.push(format!("{rest} more"));
        }
        names.join(", ")
    };
    let port = |port: Option<u16>| port.map_or("every".to_owned(), |p| p.to_string());
    let destination = match (rule.floating_ip, rule.backend_port) {
        (true, Some(backend)) => format!(
            "<span class=\"mono\">{}</span> port {backend} <span class=\"note\">the frontend's address</span>",
            escaped(&address)
        ),
        (true, None) => format!(
            "<span class=\"mono\">{}</span>, every port",
            escaped(&address)
        ),
        (false, backend) => format!(
            "the VM's own address, port {} <span class=\"note\">{}</span>",
            port(backend),
            escaped(&shorten(own))
        ),
    };
    let state = match picture::mark_tone(moment.mark(rule.mark)) {
        Tone::Same => "as it is".to_owned(),
        tone => format!(
            "<span class=\"tag {}\">{}</span>",
            tone.class(),
            tone.word().unwrap_or_default()
        ),
    };
    let guests = if total == 0 {
        "none".to_owned()
    } else {
        escaped(&shorten(names))
    };
    format!(
        "<tr><th scope=\"row\">{}</th><td>{} <span class=\"mono nowrap\">{}</span></td><td>{}</td><td class=\"number\">{}</td><td>{destination}</td><td>{guests}</td><td>{state}</td></tr>\n",
        escaped(&rule.name),
        escaped(frontend.map_or("", |f| &f.name)),
        escaped(&address),
        rule.protocol.map_or("", |p| p.word()),
        port(rule.port),
    )
}
