//! The example that most stories begin with, and what they do with it.

use crate::world::{World, configuration};
use plimsoll_core::model::Addr;
use plimsoll_core::plan::{Mode, Plan};

pub const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

pub fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

/// The example without the rule of this name.
pub fn without_rule(name: &str) -> String {
    let from = EXAMPLE.find(&format!("  rule \"{name}\" {{")).unwrap();
    let length = EXAMPLE[from..].find("\n  }\n").unwrap() + 5;
    format!("{}{}", &EXAMPLE[..from], &EXAMPLE[from + length..])
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
