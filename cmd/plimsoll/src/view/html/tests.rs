use super::{applied, drift, plan};
use crate::view::golden::assert_golden;
use crate::view::sample;
use crate::view::shown::{PlanShown, Story};
use plimsoll_core::plan::Plan;

fn with(plan: &Plan, then: impl Fn(&PlanShown<'_>) -> String) -> String {
    let told = sample::told();
    let next = [(
        "To apply exactly this".to_owned(),
        "plimsoll apply plan.plim".to_owned(),
    )];
    then(&PlanShown {
        scripts: &[],
        plan,
        told: &told,
        took: None,
        next: &next,
        places: sample::NOWHERE,
    })
}

#[test]
fn the_pages() {
    assert_golden("plan.html", &with(&sample::plan(), plan));
    assert_golden("plan-refined.html", &with(&sample::refined(), plan));
    assert_golden("drift.html", &with(&sample::drifted(), drift));
}

#[test]
fn names_and_texts_of_others_stay_text() {
    let page = with(&sample::hostile(), plan);
    for escape in ["<script", "\u{1b}", "\r", "<img", "\u{202e}"] {
        assert!(!page.contains(escape), "{escape}");
    }
    assert_eq!(
        page.matches("</title>").count(),
        page.matches("<title").count()
    );
}

#[test]
fn ten_thousand_changes_are_a_page_of_bounded_size() {
    let page = with(&sample::many(), plan);
    assert!(page.len() < 400_000, "{}", page.len());
    assert!(page.contains("9900 more parts"));
}

#[test]
fn an_apply_that_failed_says_where() {
    let ending = crate::view::Ending {
        done: 0,
        failed: 0,
        skipped: 0,
        total: 3,
        state_lost: None,
        stale: &[(
            "load_balancer.web".to_owned(),
            vec!["rule <x> changed".to_owned()],
        )],
        interrupted: false,
        took: std::time::Duration::ZERO,
        exit: crate::exit::Exit::Stale,
        again: "",
        replan: "",
        next: &[],
    };
    let story = Story {
        ending: &ending,
        outcomes: &[].into(),
        next: &[],
    };
    let page = with(&sample::plan(), |shown| applied(shown, &story));
    assert!(page.contains("rule &lt;x&gt; changed") && page.contains("the plan is stale"));
}
