use super::{drift, failure, fmt, lab, map, plan, trace};
use crate::failure::Failure;
use crate::view::golden::assert_golden;
use crate::view::shown::{PlanShown, Probe, Reformatted, TraceShown};
use crate::view::{Detail, Look, sample};
use plimsoll_core::plan::{Basis, HopState, MemberVerdict, Plan};
use std::time::Duration;

fn shown(plan: &Plan, look: Look) -> String {
    let told = sample::told();
    let next = [(
        "To apply exactly this".to_owned(),
        "plimsoll apply plan.plim".to_owned(),
    )];
    plan::page(
        &PlanShown {
            scripts: &[],
            plan,
            told: &told,
            took: Some(Duration::from_millis(900)),
            next: &next,
            places: sample::NOWHERE,
        },
        Detail::Normal,
    )
    .text(look)
}

#[test]
fn a_plan() {
    assert_golden("plan.txt", &shown(&sample::plan(), Look::plain(120)));
    assert_golden("plan-60.txt", &shown(&sample::plan(), Look::plain(60)));
    assert_golden(
        "plan-refined.txt",
        &shown(&sample::refined(), Look::plain(120)),
    );
    assert_golden(
        "plan-creation.txt",
        &shown(&sample::creation(), Look::plain(120)),
    );
    assert_golden(
        "plan-nothing.txt",
        &shown(&sample::empty(), Look::plain(120)),
    );
}

#[test]
fn a_plan_of_ten_thousand_changes_is_short_and_ends_like_any_other() {
    let text = shown(&sample::many(), Look::plain(120));
    assert!(text.lines().count() < 120, "{}", text.lines().count());
    assert!(text.contains("10000 rules to add, 0 to change, 0 to destroy · 1000 guests to change"));
    assert!(text.trim_end().ends_with("plimsoll apply plan.plim"));
}

#[test]
fn quiet_is_short_and_verbose_is_whole() {
    let many = sample::many();
    let told = sample::told();
    let said = |detail| {
        let shown = PlanShown {
            scripts: &[],
            plan: &many,
            told: &told,
            took: None,
            next: &[],
            places: sample::NOWHERE,
        };
        plan::page(&shown, detail).text(Look::plain(120))
    };
    assert_eq!(
        said(Detail::Quiet),
        "10000 rules to add, 0 to change, 0 to destroy · 1000 guests to change · no write to Azure\n"
    );
    let verbose = said(Detail::Verbose);
    assert!(verbose.contains("rule \"r9999\"") && verbose.contains("gain 999 addresses"));
}

#[test]
fn no_width_and_no_colour_changes_what_is_said() {
    for plan in [sample::plan(), sample::refined(), sample::creation()] {
        the_same_at_every_width(&|look| shown(&plan, look));
    }
    let told = sample::told();
    let drifted = sample::drifted();
    the_same_at_every_width(&|look| {
        let shown = PlanShown {
            scripts: &[],
            plan: &drifted,
            told: &told,
            took: None,
            next: &[],
            places: sample::NOWHERE,
        };
        drift::page(&shown).text(look)
    });
}

fn the_same_at_every_width(page: &dyn Fn(Look) -> String) {
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let wide = page(Look::plain(200));
    for width in [40, 60, 80, 120, 160] {
        let plain = page(Look::plain(width));
        assert!(!plain.contains('\u{1b}'));
        assert_eq!(words(&plain), words(&wide), "width {width}");
        let coloured = page(Look {
            colour: true,
            width,
        });
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
        for line in plain.lines() {
            assert!(
                console::measure_text_width(line) <= width,
                "{width}: {line}"
            );
        }
    }
}

#[test]
fn deletions_stand_above_everything_that_is_only_added() {
    let text = shown(&sample::plan(), Look::plain(120));
    let at = |needle: &str| {
        text.find(needle)
            .unwrap_or_else(|| panic!("{needle} in\n{text}"))
    };
    assert!(at("rule \"old\" of load_balancer.web is deleted") < at("rule \"purple\""));
    assert!(at("traffic to 65.52.0.1:81/tcp ends after step 3") < at("rule \"purple\""));
}

#[test]
fn drift() {
    let told = sample::told();
    let next = [("Heal".to_owned(), "plimsoll apply".to_owned())];
    let drifted = sample::drifted();
    let shown = PlanShown {
        scripts: &[],
        plan: &drifted,
        told: &told,
        took: None,
        next: &next,
        places: sample::NOWHERE,
    };
    assert_golden("drift.txt", &drift::page(&shown).text(Look::plain(120)));
    let quiet = sample::empty();
    let shown = PlanShown {
        scripts: &[],
        plan: &quiet,
        told: &told,
        took: None,
        next: &[],
        places: sample::NOWHERE,
    };
    assert_eq!(
        drift::page(&shown).text(Look::plain(120)),
        "web-prod: no drift, all is as applied.\n"
    );
    let quiet = Plan {
        unasked: 2,
        ..sample::empty()
    };
    let shown = PlanShown {
        plan: &quiet,
        ..shown
    };
    assert_eq!(
        drift::page(&shown).text(Look::plain(120)),
        "web-prod: no drift in what was read; 2 guests not asked.\n"
    );
}

#[test]
fn the_map() {
    assert_golden("map.txt", &map::page(&sample::map()).text(Look::plain(140)));
}

#[test]
fn probes_group_by_who_answered() {
    let answer = |guest: &str| Probe {
        guest: Some(guest.to_owned()),
        seen: Some("65.52.0.1:80".to_owned()),
        ok: true,
        error: None,
    };
    let lost = Probe {
        guest: None,
        seen: None,
        ok: false,
        error: None,
    };
    let probes = [answer("vm1"), answer("vm2"), answer("vm1"), lost];
    assert_golden(
        "probe.txt",
        &lab::probes("65.52.0.1:80/tcp", &probes).text(Look::plain(100)),
    );
}

#[test]
fn an_error_shows_its_causes_and_the_next_step() {
    let cause = std::io::Error::other("No such file or directory");
    let failure = Failure::new("cannot read the state web.json")
        .because(&cause)
        .next(
            "Restore it from a backup, or move it away so that the next plan adopts what it finds:",
        )
        .next("  mv web.json web.json.damaged");
    assert_golden(
        "failure.txt",
        &failure::page(&failure).text(Look::plain(100)),
    );
}

#[test]
fn a_format_difference() {
    let file = Reformatted {
        file: "web.plim.hcl".to_owned(),
        before: "a=1\nb = 2\n".to_owned(),
        after: "a = 1\nb = 2\n".to_owned(),
        diff: true,
    };
    assert_golden("fmt-diff.txt", &fmt::text(&[file], false, Look::plain(100)));
}

#[test]
fn a_trace_side_by_side_and_one_below_the_other() {
    let told = sample::told();
    let text = |trace: &plimsoll_core::plan::Trace, width| {
        let shown = TraceShown {
            traces: std::slice::from_ref(trace),
            told: &told,
            apply: "plimsoll apply",
        };
        let look = Look::plain(width);
        trace::page(&shown, look).text(look)
    };
    let two = sample::trace();
    assert_golden("trace.txt", &text(&two, 120));
    assert_golden("trace-60.txt", &text(&two, 60));
    let mut many = two.clone();
    let template = two.routes[0].members.clone();
    many.routes[0].members = (0..500)
        .flat_map(|n| {
            let renamed = |m: &plimsoll_core::plan::MemberTrace| plimsoll_core::plan::MemberTrace {
                name: format!("{}-{n}", m.name),
                ..m.clone()
            };
            template.iter().map(renamed).collect::<Vec<_>>()
        })
        .collect();
    assert_golden("trace-1000.txt", &text(&many, 120));

    // Several destinations at once: one that nobody takes, and one that apply mends.
    let mut nobody = two.clone();
    nobody.destination = "65.52.0.1:443".parse().unwrap();
    nobody.routes.clear();
    nobody.near = vec!["rule \"green\" takes 65.52.0.1:80/tcp".to_owned()];
    let mut later = two;
    later.basis = Basis::Desired;
    for member in &mut later.routes[0].members {
        member.verdict = MemberVerdict::Serves;
        for hop in member.hops.iter_mut().filter(|h| h.fix.is_some()) {
            hop.state = HopState::AfterApply;
        }
    }
    let shown = TraceShown {
        traces: &[nobody, later],
        told: &told,
        apply: "plimsoll apply",
    };
    let look = Look::plain(120);
    assert_golden("trace-several.txt", &trace::page(&shown, look).text(look));
}
