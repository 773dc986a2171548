//! The Microsoft page's table: where each rule's packets arrive inside the guests.

use super::page::{Ink, Line, Page};
use plimsoll_core::plan::{MapDestination, MapRow};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) fn page(rows: &[MapRow]) -> Page {
    let mut page = Page::default();
    if rows.is_empty() {
        page.line("The configuration has no rules.");
        return page;
    }
    let balancers: BTreeSet<_> = rows.iter().map(|r| &r.load_balancer).collect();
    let several = balancers.len() > 1;
    for balancer in balancers {
        page.gap();
        if several {
            page.line(Ink::Strong.line(balancer.to_string()));
        }
        table(
            rows.iter().filter(|r| &r.load_balancer == balancer),
            &mut page,
        );
    }
    page
}

const HEADINGS: [&str; 6] = [
    "rule",
    "frontend",
    "protocol",
    "port",
    "destination in the guest",
    "guests",
];

fn table<'a>(rows: impl Iterator<Item = &'a MapRow>, page: &mut Page) {
    let frontend_names: Vec<&MapRow> = rows.collect();
    let widest = frontend_names
        .iter()
        .map(|r| r.frontend.chars().count())
        .max()
        .unwrap_or(0);
    let cells: Vec<[String; 6]> = frontend_names.iter().map(|r| cells(r, widest)).collect();
    let mut columns = [0; 6];
    let mut at = 0;
    for (index, column) in columns.iter_mut().enumerate() {
        *column = at;
        let widest = cells
            .iter()
            .map(|row| row[index].chars().count())
            .max()
            .unwrap_or(0);
        at += widest.max(HEADINGS[index].len()).min(60) + 2;
    }
    let mut heading = Line::default();
    for (index, text) in HEADINGS.iter().enumerate() {
        heading = if index == 0 {
            heading
        } else {
            heading.to(columns[index])
        };
        heading = heading.ink(Ink::Strong, text);
    }
    page.line(heading);
    for row in &cells {
        let mut line = Line::default();
        for (index, text) in row.iter().enumerate() {
            line = if index == 0 {
                line
            } else {
                line.to(columns[index])
            };
            if index == 4 {
                line = line.hang_here();
            }
            line = line.put(text);
        }
        page.line(line);
    }
}

fn cells(row: &MapRow, frontend_width: usize) -> [String; 6] {
    let address = row
        .frontend_address
        .map_or("(known after apply)".to_owned(), |a| a.to_string());
    [
        row.rule.clone(),
        format!("{:<frontend_width$} {address}", row.frontend),
        row.protocol.to_string(),
        row.port.map_or("all".to_owned(), |p| p.to_string()),
        destinations(row),
        row.guests.join(" "),
    ]
}

/// For a floating rule one destination that all share; otherwise each guest's own address.
fn destinations(row: &MapRow) -> String {
    let places: Vec<String> = row.destinations.iter().map(|d| place(d, row)).collect();
    if !row.floating_ip {
        let mut known: Vec<String> = Vec::new();
        for place in places.iter().filter(|p| !p.is_empty()) {
            if !known.contains(place) {
                known.push(place.clone());
            }
        }
        let own = "(the VM's own address)";
        return if known.is_empty() {
            own.to_owned()
        } else {
            format!("{} {own}", known.join(", "))
        };
    }
    let word = |same: bool, other: &'static str| if same { "same" } else { other };
    let mut texts: Vec<String> = Vec::new();
    for (place, destination) in places.iter().zip(&row.destinations) {
        let text = format!(
            "{place} ({}, {})",
            word(destination.same_address_as_frontend, "other address"),
            word(destination.same_port_as_frontend, "other port"),
        );
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        "no guest".to_owned()
    } else {
        texts.join(", ")
    }
}

fn place(destination: &MapDestination, row: &MapRow) -> String {
    let port = destination
        .port
        .map_or(" all ports".to_owned(), |port| format!(":{port}"));
    match destination.address {
        Some(IpAddr::V6(address)) if destination.port.is_some() => format!("[{address}]{port}"),
        Some(address) => format!("{address}{port}"),
        None if row.floating_ip => format!("(known after apply){port}"),
        None => port.trim_start().to_owned(),
    }
}
