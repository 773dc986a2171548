//! Model tests: random configurations, applied one after the other to a simulated world in which others edit, writes
//! fail, answers get lost and the process dies. The promises of the planner and the engine are checked after every
//! write by where packets go.
//!
//! `PLIMSOLL_MODEL_STEPS` says how many writes and saves to go through, `PLIMSOLL_MODEL_SEED` where to begin;
//! with `PLIMSOLL_MODEL_SHRINK=no` a counter-example stays as long as it was found.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the number of steps comes from the environment, and the test says how far it went"
)]

mod change;
pub mod others;
mod play;
mod promises;
mod rest;
mod scenario;
mod tape;
mod writes;

use play::play;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tape::{Tape, shrink};

/// What every `cargo test` goes through; `cargo xtask model` is built for more.
const STEPS: u64 = 2_000;
const LENGTH: usize = 320;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What went wrong, if anything did; otherwise how many writes and saves there were.
fn attempt(tape: &Tape) -> Result<usize, String> {
    play(&mut tape.clone())
}

/// A panic is how the world tells of a broken promise.
fn caught<T>(play: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_default())
    })
}

/// Which promise was broken: the words of the first line, without the names.
fn promise(why: &str) -> String {
    let first = why.lines().next().unwrap_or_default();
    let words = first.split([':', '{']).next().unwrap_or_default();
    let quoted = words.split('"');
    quoted.step_by(2).collect()
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// A panic is how a broken promise is told: on this thread it is caught, so nobody needs to read it. Others go on speaking.
fn silence() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !QUIET.get() {
            others(panic);
        }
    }));
    QUIET.set(true);
}

fn explore(seed: u64, steps: usize) {
    let (mut gone, mut scenarios) = (0, 0);
    silence();
    let mut number = seed;
    let broken = loop {
        if gone >= steps {
            break None;
        }
        let tape = Tape::random(number, LENGTH);
        match attempt(&tape) {
            Ok(effects) => gone += effects,
            Err(why) => break Some((tape, why)),
        }
        scenarios += 1;
        number += 1;
    };
    // Simpler, and yet the same: what a promise is broken by may change on the way, the promise may not.
    let shrunk = broken.map(|(tape, why)| {
        if std::env::var_os("PLIMSOLL_MODEL_SHRINK").is_some_and(|says| says == "no") {
            return tape;
        }
        shrink(&tape, |candidate| {
            attempt(candidate).is_err_and(|other| promise(&other) == promise(&why))
        })
    });
    QUIET.set(false);
    println!("{gone} writes and saves in {scenarios} scenarios from seed {seed}");
    if let Some(shrunk) = shrunk {
        let why = attempt(&shrunk).expect_err("it failed a moment ago");
        panic!("seed {number}: {why}\ntape: {shrunk:?}");
    }
}

#[test]
fn promises_hold() {
    let number = |name: &str, default: u64| from_environment(name).unwrap_or(default);
    let steps = usize::try_from(number("PLIMSOLL_MODEL_STEPS", STEPS)).expect("64 bits");
    explore(number("PLIMSOLL_MODEL_SEED", 1), steps);
}
