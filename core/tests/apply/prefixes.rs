//! Public IP prefixes: made before what takes addresses from them, and given up by nobody's mistake.

use crate::world::{World, configuration, network};
use plimsoll_core::model::Attr;
use plimsoll_core::plan::{Action, DriftKind, Mode, Plan};

const TEXT: &str = r#"
plimsoll {
  deployment = "prefixes"
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip_prefix "block" {
  resource_group = "rg-web"
  location       = "westeurope"
  prefix_length  = 28
}

public_ip "green" {
  resource_group   = "rg-web"
  location         = "westeurope"
  public_ip_prefix = public_ip_prefix.block
}

load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {
    public_ip = public_ip.green
  }

  frontend "out" {
    public_ip_prefix = public_ip_prefix.block
  }

  backend_pool "vms" {}

  outbound_rule "all" {
    frontends    = [frontend.out]
    backend_pool = backend_pool.vms
    protocol     = "All"
  }
}
"#;

fn action(plan: &Plan) -> Action {
    let of = |plan: &Plan| {
        let mut all = plan.changes.iter();
        all.find(|c| c.addr.to_string() == "public_ip_prefix.block")
            .map(|c| c.action)
    };
    of(plan).unwrap_or_else(|| panic!("{:#?}", plan.changes))
}

#[test]
fn a_prefix_is_there_before_what_uses_it() {
    let world = World::of_the_example();
    let plan = world.apply(TEXT);
    assert_eq!(action(&plan), Action::Create);
    let writes = world.with(|w| std::mem::take(&mut w.writes));
    assert_eq!(writes, ["PUT block", "PUT green", "PUT web"]);
    let again = world.plan(&configuration(TEXT), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);

    let tagged = TEXT.replace(
        "  prefix_length  = 28",
        "  prefix_length  = 28\n  tags = { team = \"web\" }",
    );
    assert_eq!(action(&world.apply(&tagged)), Action::Update);
    assert_eq!(world.with(|w| std::mem::take(&mut w.writes)), ["PUT block"]);
    // What is not said is kept.
    assert!(!world.plan(&configuration(TEXT), Mode::Apply).has_changes());
}

/// Whoever gets the addresses next gets what is sent to them.
#[test]
fn the_addresses_of_a_prefix_are_not_given_up_by_the_way() {
    let world = World::of_the_example();
    world.apply(TEXT);
    let id = network("publicIPPrefixes", "block");
    for (from, to) in [
        ("prefix_length  = 28", "prefix_length  = 29"),
        (
            "prefix_length  = 28",
            "prefix_length  = 28\n  zones = [\"1\"]",
        ),
        (
            "prefix_length  = 28",
            "prefix_length  = 127\n  version = \"IPv6\"",
        ),
    ] {
        let plan = world.plan(&configuration(&TEXT.replacen(from, to, 1)), Mode::Apply);
        let why = plan.blocked.join("\n");
        assert!(
            !plan.applyable && why.contains("declare another public_ip_prefix"),
            "{to}: {why}"
        );
    }
    let destroy = world.plan(&configuration(TEXT), Mode::Destroy);
    assert_eq!(action(&destroy), Action::Forget);
    world.run(&destroy);
    assert!(world.with(|w| w.public_ip_prefixes.contains_key(&id)));
    // Declared again, it is ours again.
    assert_eq!(action(&world.apply(TEXT)), Action::Adopt);
}

#[test]
fn a_prefix_that_has_gone_is_drift_and_a_failed_one_is_written_again() {
    let world = World::of_the_example();
    world.apply(TEXT);
    world.with(|w| {
        w.public_ip_prefixes
            .values_mut()
            .for_each(|p| p.failed = true);
    });
    assert_eq!(
        action(&world.plan(&configuration(TEXT), Mode::Apply)),
        Action::Update
    );
    world.with(|w| w.public_ip_prefixes.clear());
    let plan = world.plan(&configuration(TEXT), Mode::Apply);
    let drift: Vec<String> = plan.drift.iter().map(|d| d.addr.to_string()).collect();
    assert_eq!(drift, ["public_ip_prefix.block"]);
    assert_eq!(plan.drift[0].kind, DriftKind::Changed);
    assert_eq!(action(&plan), Action::Create);
}

/// Somebody changes it between plan and apply: nothing is written.
#[test]
fn a_prefix_that_moved_makes_a_plan_stale() {
    let world = World::of_the_example();
    world.apply(TEXT);
    let more = TEXT.replace(
        "  backend_pool \"vms\" {}",
        "  backend_pool \"vms\" {}\n\n  backend_pool \"more\" {}",
    );
    let plan = world.plan(&configuration(&more), Mode::Apply);
    world.with(|w| {
        w.writes.clear();
        for prefix in w.public_ip_prefixes.values_mut() {
            let tags = [("team".to_owned(), "other".to_owned())].into();
            prefix.attributes.insert("tags".to_owned(), Attr::Map(tags));
        }
    });
    let (outcome, _) = world.run(&plan);
    assert_eq!(outcome.stale.len(), 1, "{:?}", outcome.stale);
    assert_eq!(
        outcome.stale[0].what,
        ["the public IP prefix itself changed"]
    );
    assert!(world.with(|w| w.writes.is_empty()));
}
