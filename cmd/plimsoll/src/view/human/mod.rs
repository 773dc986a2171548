//! The view for a person at a terminal, or for the log of a pipeline that a person reads.

mod page;

mod apply;
mod drift;
mod failure;
mod fmt;
mod lab;
mod map;
mod plan;
mod scripts;
mod state;
mod trace;

use super::diagnostic;
use super::picture::{self, Room};
use super::shown::{
    Applying, Drawing, LabStatus, PlanShown, Probe, Reformatted, StateShown, Told, TraceShown,
    Valid, View,
};
use super::{Detail, Terminal, command, say, tell, words};
use crate::failure::Failure;
use page::{Ink, Line, Page};
pub(crate) use plan::pages as plan_pages;
use plimsoll_core::plan::{MapRow, Plan, Topology};

#[derive(Debug)]
pub(crate) struct Human {
    pub(crate) terminal: Terminal,
}

impl Human {
    fn say(&self, page: &Page) {
        say(&page.text(self.terminal.out));
    }

    fn warn(&self, told: &Told) {
        tell(&diagnostic::text(told, self.terminal.err));
    }
}

impl View for Human {
    fn refused(&self, told: &Told) {
        self.warn(told);
    }

    fn failure(&self, failure: &Failure) {
        tell(&failure::page(failure).text(self.terminal.err));
    }

    fn note(&self, text: &str) {
        if self.terminal.detail == Detail::Quiet {
            return;
        }
        let mut page = Page::default();
        for line in text.lines() {
            page.line(Line::plain(line).hang(2));
        }
        tell(&page.text(self.terminal.err));
    }

    fn to_host(&self, line: &str) {
        command(line);
    }

    fn valid(&self, valid: &Valid, told: &Told) {
        self.warn(told);
        let parts: Vec<String> = [
            (valid.load_balancers, "load balancer"),
            (valid.rules, "rule"),
            (valid.public_ips, "public IP"),
            (valid.guests, "guest"),
        ]
        .iter()
        .map(|(number, noun)| words::count(*number, noun))
        .collect();
        let mut page = Page::default();
        page.line(Ink::Added.line("Valid").put(format!(
            ": {} in {}.",
            words::list(&parts),
            words::count(valid.files, "file")
        )));
        self.say(&page);
    }

    fn plan(&self, shown: &PlanShown<'_>) {
        self.warn(shown.told);
        if !shown.scripts.is_empty() {
            say(&scripts::text(shown.scripts, self.terminal.out));
        }
        self.say(&plan::page(shown, self.terminal.detail));
    }

    fn proposal(&self, shown: &PlanShown<'_>) {
        self.plan(shown);
    }

    fn drift(&self, shown: &PlanShown<'_>) {
        self.warn(shown.told);
        self.say(&drift::page(shown));
    }

    fn graph(&self, topology: &Topology, drawing: Drawing) {
        let picture = picture::picture(topology, Room::WHOLE);
        say(&match drawing {
            Drawing::Dot => picture::dot::text(&picture),
            Drawing::Mermaid => picture::mermaid::text(&picture),
        });
    }

    fn map(&self, rows: &[MapRow], told: &Told) {
        self.warn(told);
        self.say(&map::page(rows));
    }

    fn trace(&self, shown: &TraceShown<'_>) {
        self.warn(shown.told);
        self.say(&trace::page(shown, self.terminal.out));
    }

    fn reformatted(&self, files: &[Reformatted], check: bool) {
        say(&fmt::text(files, check, self.terminal.out));
    }

    fn explained(&self, pages: &[(&str, &str, &str)]) {
        let mut page = Page::default();
        for (code, title, text) in pages {
            let head = Ink::Strong.line(code).put("  ").hang_here().put(title);
            // Codes without their texts are a list.
            if text.is_empty() {
                page.line(head);
                continue;
            }
            page.gap();
            page.line(head);
            page.line("");
            page.line(Line::plain("  ").hang_here().put(text));
        }
        self.say(&page);
    }

    fn state(&self, shown: &StateShown<'_>) {
        self.say(&state::page(shown));
    }

    fn applying(&self, plan: &Plan) -> Box<dyn Applying> {
        apply::follow(plan, self.terminal)
    }

    fn lab_status(&self, status: &LabStatus) {
        self.say(&lab::status(status));
    }

    fn probes(&self, destination: &str, probes: &[Probe]) {
        self.say(&lab::probes(destination, probes));
    }

    fn requests(&self, requests: &[serde_json::Value]) {
        self.say(&lab::requests(requests));
    }

    fn document(&self, document: &serde_json::Value) {
        say(&super::json::pretty(document));
    }
}

#[cfg(test)]
mod tests;
