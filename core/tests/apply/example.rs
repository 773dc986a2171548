//! The example that most stories begin with, and what they do with it.

use crate::world::{World, configuration};
use plimsoll_core::model::Addr;
use plimsoll_core::plan::{Mode, Plan};

pub const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

pub fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

/// Without the rules of these names.
pub fn without_rules(text: &str, names: &[&str]) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if names
            .iter()
            .any(|name| line.trim() == format!("rule \"{name}\" {{"))
        {
            skipping = true;
        }
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
        if skipping && line == "  }" {
            skipping = false;
        }
    }
    out
}

pub fn applied() -> World {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| {
        w.writes.clear();
        w.waits.clear();
    });
    world
}

pub fn plan(world: &World, text: &str) -> Plan {
    let plan = world.plan(&configuration(text), Mode::Apply);
    assert!(plan.applyable, "{:#?} {:#?}", plan.blocked, plan.findings);
    plan
}

pub fn writes(world: &World) -> Vec<String> {
    world.with(|w| w.writes.clone())
}
