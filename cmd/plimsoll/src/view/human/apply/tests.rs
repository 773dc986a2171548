use super::step::{self, Columns};
use super::{Steps, ending, note, plain};
use crate::exit::Exit;
use crate::view::golden::assert_golden;
use crate::view::shown::Ending;
use crate::view::{Look, sample};
use plimsoll_core::apply::Event;
use std::time::Duration;

const AT: &str = "2026-11-22T12:00:01Z";

/// The lines of a whole apply, through the same filter as in earnest.
fn run(show: impl Fn(&Event) -> String) -> (String, Steps) {
    let mut steps = Steps::new();
    let mut out = String::new();
    for event in sample::events() {
        if note(&mut steps, &event) {
            out.push_str(&show(&event));
        }
    }
    (out, steps)
}

fn last_words(failed: usize, stale: &[(String, Vec<String>)], steps: &Steps) -> String {
    let next = [("Now try".to_owned(), "plimsoll drift".to_owned())];
    let ending = Ending {
        done: if stale.is_empty() { 3 - 2 * failed } else { 0 },
        failed,
        skipped: failed,
        total: 3,
        state_lost: None,
        stale,
        interrupted: false,
        took: Duration::from_millis(1500),
        exit: Exit::Partial,
        again: "plimsoll apply plan.plim",
        replan: "plimsoll plan",
        next: &next,
    };
    ending::page(&ending, steps).text(Look::plain(100))
}

#[test]
fn off_a_terminal_each_line_is_dated_and_said_once() {
    let (mut text, steps) = run(|event| plain::line(AT, event).text(Look::plain(usize::MAX)));
    text.push_str(&last_words(1, &[], &steps));
    assert!(!text.contains('\u{1b}'));
    assert_eq!(text.matches("waiting for the guest's lock").count(), 1);
    assert_golden("apply-plain.txt", &text);
}

#[test]
fn on_a_terminal_finished_steps_stand_in_a_table() {
    let columns = Columns::of(&sample::plan(), 120);
    let (mut text, _) = run(|event| step::finished(event, &columns).text(Look::plain(120)));
    text.push_str(&last_words(0, &[], &Steps::new()));
    assert_golden("apply-terminal.txt", &text);
}

#[test]
fn a_stale_plan_says_what_moved() {
    let stale = [(
        "load_balancer.web".to_owned(),
        vec!["rule \"green\" changed".to_owned()],
    )];
    assert_golden("apply-stale.txt", &last_words(0, &stale, &Steps::new()));
}

/// `apply --until expand` has done what was asked for, and no rule has changed.
#[test]
fn a_run_that_was_to_stop_on_the_way_says_so_and_how_to_go_on() {
    let next = [(
        "Change the rules too".to_owned(),
        "plimsoll apply".to_owned(),
    )];
    let ending = Ending {
        done: 2,
        failed: 0,
        skipped: 0,
        total: 3,
        state_lost: None,
        stale: &[],
        interrupted: false,
        took: Duration::from_millis(1500),
        exit: Exit::Done,
        again: "plimsoll apply --until expand",
        replan: "plimsoll plan",
        next: &next,
    };
    assert_eq!(
        ending::page(&ending, &Steps::new()).text(Look::plain(120)),
        "\nExpanded: 2 of 3 steps done in 1.5 s. Guests have what the new rules need; no rule has changed.\n\n\
         Change the rules too:  plimsoll apply\n"
    );
    assert_eq!(
        crate::view::verdict::ending(&ending),
        "Expanded: 2 of 3 steps done in 1.5 s; no rule has changed"
    );
}
