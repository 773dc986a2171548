//! Plans made by hand, for the tests of the views.

use crate::host::Host;
use crate::view::{Places, Told};
use plimsoll_core::apply::Event;
use plimsoll_core::config::GuestMode;
use plimsoll_core::model::guest::{EntryKey, EntryState};
use plimsoll_core::model::{
    Addr, ArmId, Attr, FieldDiff, ItemKind, Kind, Protocol, Severity, Shared, Where, digest_of,
};
use plimsoll_core::plan::{
    Action, Change, Drift, DriftKind, Edge, Effect, EntryChange, Finding, ForeignItem,
    FrontendNode, GuestNode, ItemChange, LeftOut, Lost, MapDestination, MapRow, Mark, MemberNode,
    MembershipChange, Mode, PLAN_FORMAT, PLAN_VERSION, Phase, Plan, PoolNode, Reads, Rollout,
    RuleNode, Step, StepAction, StepId, Topology, Traffic, Trouble,
};
use plimsoll_core::plan::{
    Basis, Fix, Hop, HopKind, HopState, MemberTrace, MemberVerdict, Route, Trace,
};
use serde_json::json;

/// A plan without its configuration.
pub(crate) const NOWHERE: Places<'static> = Places {
    known: None,
    host: &Host::Elsewhere,
};

pub(crate) fn guest(name: &str) -> Addr {
    Addr::new(Kind::Guest, name)
}

pub(crate) fn balancer() -> Addr {
    Addr::new(Kind::LoadBalancer, "web")
}

pub(crate) fn empty() -> Plan {
    Plan {
        format: PLAN_FORMAT.to_owned(),
        version: PLAN_VERSION,
        plimsoll_version: "0.1.0".to_owned(),
        created: "2026-11-22T12:00:00Z".to_owned(),
        deployment: "web-prod".to_owned(),
        mode: Mode::Apply,
        lab: true,
        config_digest: digest_of(&json!({})),
        lineage: "lineage".to_owned(),
        predecessors: [].into(),
        serial: 3,
        run: 4,
        changes: vec![],
        steps: vec![],
        relies_on: vec![],
        drift: vec![],
        findings: vec![],
        traffic: vec![],
        topology: Topology::default(),
        outputs: vec![],
        complete: true,
        applyable: true,
        blocked: vec![],
        reads: Reads {
            load_balancers: 1,
            public_ips: 2,
            network_interfaces: 0,
            guests: 2,
        },
        rollout: plimsoll_core::plan::Rollout::default(),
        accepted_unready: Vec::new(),
        left_out: Vec::new(),
        unasked: 0,
        not_yet_applied: Vec::new(),
    }
}

pub(crate) fn change(addr: Addr, action: Action, about: &str) -> Change {
    Change {
        addr,
        action,
        about: about.to_owned(),
        fields: vec![],
        items: vec![],
        entries: Shared::default(),
        memberships: vec![],
        foreign: vec![],
        notes: vec![],
    }
}

pub(crate) fn item(kind: ItemKind, name: &str, action: Action, about: &str) -> ItemChange {
    ItemChange {
        kind,
        name: name.to_owned(),
        action,
        about: about.to_owned(),
        fields: vec![],
    }
}

fn entry(key: &str, how: &str) -> EntryChange {
    EntryChange {
        key: key.parse::<EntryKey>().unwrap(),
        action: Action::Create,
        before: EntryState::default(),
        after: EntryState {
            live: true,
            survives: true,
            ..EntryState::default()
        },
        because: vec!["purple".to_owned()],
        how: how.to_owned(),
    }
}

fn guest_change(name: &str, own: &str) -> Change {
    let mut change = change(
        guest(name),
        Action::Update,
        &format!("linux · ssh {name}.internal"),
    );
    change.entries = [
        entry("address 65.52.0.2", "on lo"),
        entry(
            "firewall tcp port 80 to 65.52.0.2",
            "nftables, inet filter input",
        ),
        entry(
            &format!("firewall tcp port 8080 from 168.63.129.16 to {own}"),
            "nftables, inet filter input",
        ),
    ]
    .into_iter()
    .collect();
    change.entries[2].because = vec!["green".into(), "purple".into()];
    change.entries[2].before.live = true;
    change
}

fn step(id: u32, phase: Phase, addr: Addr, title: &str, after: &[(u32, &str)]) -> Step {
    Step {
        id: StepId(id),
        phase,
        addr,
        title: title.to_owned(),
        action: StepAction::Record,
        after: after
            .iter()
            .map(|(step, why)| Edge {
                step: StepId(*step),
                why: (*why).to_owned(),
            })
            .collect(),
        record: vec![],
    }
}

fn flow(address: &str, rule: &str, effect: Effect) -> Traffic {
    Traffic {
        destination: Where::Known(address.parse().unwrap()),
        port: Some(80),
        protocol: Protocol::Tcp,
        rule: rule.to_owned(),
        load_balancer: balancer(),
        effect,
        members: 2,
        answering: 2,
        lost: None,
    }
}

/// The sketch of the plan that the views aim at: one rule more, one changed, one deleted, one not ours.
pub(crate) fn plan() -> Plan {
    let mut web = change(balancer(), Action::Update, "Standard · rg-web · westeurope");
    web.items = vec![
        item(
            ItemKind::Rule,
            "purple",
            Action::Create,
            "65.52.0.2:80/tcp → vms:80, floating IP",
        ),
        item(
            ItemKind::Rule,
            "green",
            Action::Update,
            "65.52.0.1:80/tcp → vms:80, floating IP",
        ),
        item(
            ItemKind::Rule,
            "old",
            Action::Delete,
            "65.52.0.1:81/tcp → vms:81",
        ),
        item(
            ItemKind::Rule,
            "same",
            Action::NoOp,
            "65.52.0.1:82/tcp → vms:82",
        ),
    ];
    web.items[1].fields = vec![FieldDiff {
        name: "idle_timeout_in_minutes".to_owned(),
        before: Some(Attr::Int(4)),
        after: Some(Attr::Int(15)),
    }];
    web.foreign = vec![
        ForeignItem {
            kind: ItemKind::Rule,
            name: "legacy".to_owned(),
        },
        ForeignItem {
            kind: ItemKind::Probe,
            name: "a".to_owned(),
        },
        ForeignItem {
            kind: ItemKind::Probe,
            name: "b".to_owned(),
        },
    ];
    let gain = "gain address 65.52.0.2/32 and firewall rule tcp 80";
    let why = "rule \"purple\" goes live only on members that have its address and firewall";
    Plan {
        changes: vec![
            web,
            guest_change("vm1", "10.0.0.11"),
            guest_change("vm2", "10.0.0.12"),
        ],
        steps: vec![
            step(1, Phase::Expand, guest("vm1"), gain, &[]),
            step(2, Phase::Expand, guest("vm2"), gain, &[]),
            step(
                3,
                Phase::Switch,
                balancer(),
                "one write: +purple ~green -old",
                &[(1, why), (2, why)],
            ),
        ],
        findings: ["vm1", "vm2"]
            .iter()
            .map(|vm| Finding {
                code: "PL0301".into(),
                severity: Severity::Warning,
                addr: Some(guest(vm)),
                what: "nothing listens on 65.52.0.2:80".into(),
                notes: vec!["Rule \"purple\" will refuse connections until something does.".into()],
            })
            .collect(),
        topology: picture(),
        traffic: vec![
            flow("65.52.0.1", "green", Effect::NotInterrupted),
            flow(
                "65.52.0.2",
                "purple",
                Effect::Begins {
                    after: StepId(3),
                    ready: 2,
                },
            ),
            Traffic {
                port: Some(81),
                ..flow("65.52.0.1", "old", Effect::Ends { after: StepId(3) })
            },
        ],
        ..empty()
    }
}

/// A part of a plan, asked for with `--target` and `--accept-unready`, in which a member is away for a while.
pub(crate) fn refined() -> Plan {
    let nic = |name: &str| {
        ArmId::new(format!(
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/{name}-nic"
        ))
    };
    let moves = |name: &str| StepAction::PutNetworkInterface {
        id: nic(name),
        edits: vec![],
    };
    let mut steps = vec![
        step(1, Phase::Switch, guest("vm1"), "leave pool \"old\"", &[]),
        step(
            2,
            Phase::Switch,
            guest("vm1"),
            "wait for connections to end",
            &[(1, "what was begun is finished")],
        ),
        step(
            3,
            Phase::Switch,
            guest("vm1"),
            "join pool \"vms\"",
            &[(2, "no connection is cut")],
        ),
    ];
    steps[0].action = moves("vm1");
    steps[1].action = StepAction::Drain { seconds: 30 };
    steps[2].action = moves("vm1");
    let mut vm2 = guest_change("vm2", "10.0.0.12");
    vm2.notes = vec!["It could not be read.".to_owned()];
    Plan {
        lab: false,
        changes: vec![guest_change("vm1", "10.0.0.11"), vm2],
        steps,
        topology: picture(),
        traffic: vec![
            Traffic {
                lost: Some(Lost {
                    members: 1,
                    of: 2,
                    from: StepId(1),
                    until: Some(StepId(3)),
                }),
                ..flow("65.52.0.1", "green", Effect::NotInterrupted)
            },
            flow("65.52.0.2", "purple", Effect::NotInterrupted),
        ],
        rollout: Rollout {
            max_parallel: Some(4),
            max_unavailable: Some(1),
            pools: [].into(),
        },
        accepted_unready: vec![guest("vm2")],
        left_out: vec![LeftOut {
            addr: balancer(),
            action: Action::Update,
            why: "not asked for by --target".to_owned(),
        }],
        not_yet_applied: vec![pending()],
        ..empty()
    }
}

/// The configuration asks for it since the last apply.
fn pending() -> Drift {
    Drift {
        id: "0123456789ab".to_owned(),
        addr: balancer(),
        severity: Severity::Advice,
        kind: DriftKind::NotYetApplied,
        what: "rule \"purple\" is declared and not there yet".into(),
        impact: vec![],
        cause: "the configuration says so since the last apply".into(),
    }
}

/// What `plan` and `drifted` are drawn from.
fn picture() -> Topology {
    let frontend = |name: &str, address: &str, mark| FrontendNode {
        load_balancer: balancer(),
        name: name.to_owned(),
        address: address.parse().ok().map(Where::Known),
        mark,
        troubles: vec![],
    };
    let rule = |name: &str, frontend, port, mark| RuleNode {
        load_balancer: balancer(),
        name: name.to_owned(),
        frontend: Some(frontend),
        pools: vec![0],
        protocol: Some(Protocol::Tcp),
        port: Some(port),
        backend_port: Some(port),
        floating_ip: port == 80,
        mark,
        troubles: vec![],
    };
    let member = |guest, own: &str| MemberNode {
        guest,
        address: own.parse().ok(),
        mark: Mark::Same,
    };
    let guest = |name: &str, mark| GuestNode {
        addr: guest(name),
        about: "linux".to_owned(),
        mark,
        troubles: vec![],
    };
    Topology {
        frontends: vec![
            frontend("green", "65.52.0.1", Mark::Same),
            frontend("purple", "65.52.0.2", Mark::Created),
        ],
        rules: vec![
            rule("green", 0, 80, Mark::Changed),
            rule("purple", 1, 80, Mark::Created),
            rule("old", 0, 81, Mark::Deleted),
            rule("legacy", 0, 443, Mark::Foreign),
        ],
        pools: vec![PoolNode {
            load_balancer: balancer(),
            name: "vms".to_owned(),
            members: vec![member(0, "10.0.0.11"), member(1, "10.0.0.12")],
            others: 1,
            mark: Mark::Same,
            troubles: vec![],
        }],
        guests: vec![guest("vm1", Mark::Changed), guest("vm2", Mark::Changed)],
    }
}

/// The same plan with names and texts that want out of wherever they are put.
pub(crate) fn hostile() -> Plan {
    let nasty = HOSTILE.to_owned();
    let mut plan = plan();
    for change in &mut plan.changes {
        change.about = nasty.clone();
        change.notes = vec![nasty.clone()];
        for item in &mut change.items {
            item.name = format!("{}{nasty}", item.name);
            item.about = nasty.clone();
        }
        for field in change.items.iter_mut().flat_map(|i| &mut i.fields) {
            field.before = Some(Attr::Text(nasty.clone()));
        }
        for at in 0..change.entries.len() {
            let entry = &mut change.entries[at];
            entry.how = nasty.clone();
            entry.because = vec![nasty.clone()];
        }
    }
    for finding in &mut plan.findings {
        finding.what = nasty.as_str().into();
        finding.notes = vec![nasty.as_str().into()];
    }
    for flow in &mut plan.traffic {
        flow.rule = nasty.clone();
    }
    for step in &mut plan.steps {
        step.title = nasty.clone();
        for edge in &mut step.after {
            edge.why = nasty.clone();
        }
    }
    for rule in &mut plan.topology.rules {
        rule.name = format!("{}{nasty}", rule.name);
    }
    for guest in &mut plan.topology.guests {
        guest.troubles = vec![Trouble {
            severity: Severity::Error,
            what: nasty.as_str().into(),
        }];
    }
    plan.drift = drifted().drift;
    plan.not_yet_applied = vec![pending()];
    plan.accepted_unready = vec![guest("vm2")];
    plan.left_out = refined().left_out;
    for left in &mut plan.left_out {
        left.why = nasty.clone();
    }
    for drift in plan.drift.iter_mut().chain(&mut plan.not_yet_applied) {
        drift.what = nasty.as_str().into();
        drift.impact = vec![nasty.clone()];
        drift.cause = nasty.clone().into();
    }
    plan.blocked = vec![nasty];
    plan.complete = false;
    plan
}

/// Everything at once that Markdown, HTML, mermaid, a terminal or a pipeline's log could act upon.
pub(crate) const HOSTILE: &str = "</details></title><script>alert(1)</script>\r\n```\n````\n::error::x\n##vso[task.complete result=Failed;]\n\u{1b}[31m\"];]] click n0 \"x\" %%{init}%% @octocat #12 https://evil.example | `a``b` <!-- --> --> ::: ![x](y) \u{202e}";

/// A first apply, where everything is new and Azure has not yet said which addresses it gives.
pub(crate) fn creation() -> Plan {
    let pool = ArmId::new(
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/web/backendAddressPools/vms",
    );
    let mut web = change(balancer(), Action::Create, "Standard · rg-web · westeurope");
    web.items = vec![
        item(
            ItemKind::Frontend,
            "green",
            Action::Create,
            "public IP green",
        ),
        item(ItemKind::BackendPool, "vms", Action::Create, ""),
        item(
            ItemKind::Rule,
            "green",
            Action::Create,
            "(known after apply):80/tcp → vms:80, floating IP",
        ),
    ];
    let mut vm = guest_change("vm1", "10.0.0.11");
    vm.memberships = vec![MembershipChange {
        interface: ArmId::new(
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/vm1-nic",
        ),
        ip_configuration: "ipconfig1".to_owned(),
        pool,
        action: Action::Create,
    }];
    vm.entries[0].key =
        EntryKey::Address(Where::AfterApply(ArmId::new("/x/publicIPAddresses/green")));
    Plan {
        lab: false,
        changes: vec![change(Addr::new(Kind::PublicIp, "green"), Action::Create, "Standard · rg-web"), web, vm],
        complete: false,
        applyable: false,
        blocked: vec!["guest.vm2 could not be read: ssh: connect to host vm2.internal port 22: Connection timed out".into()],
        ..empty()
    }
}

pub(crate) fn many() -> Plan {
    let mut web = change(balancer(), Action::Update, "Standard · rg-web · westeurope");
    web.items = (0..10_000)
        .map(|n| {
            item(
                ItemKind::Rule,
                &format!("r{n}"),
                Action::Create,
                "65.52.0.2:80/tcp → vms:80, floating IP",
            )
        })
        .collect();
    let mut topology = picture();
    topology.rules = (0..10_000)
        .map(|n| RuleNode {
            name: format!("r{n}"),
            ..topology.rules[1].clone()
        })
        .collect();
    topology.guests = (0..1000)
        .map(|n| GuestNode {
            addr: guest(&format!("vm{n}")),
            ..topology.guests[0].clone()
        })
        .collect();
    topology.pools[0].members = (0..1000)
        .map(|guest| MemberNode {
            guest,
            address: None,
            mark: Mark::Same,
        })
        .collect();
    Plan {
        topology,
        changes: std::iter::once(web)
            .chain((0..1000).map(|n| guest_change(&format!("vm{n}"), "10.0.0.11")))
            .collect(),
        steps: (0..1000)
            .map(|n| {
                step(
                    n + 1,
                    Phase::Expand,
                    guest(&format!("vm{n}")),
                    &format!("gain {n} addresses"),
                    &[],
                )
            })
            .collect(),
        traffic: (0..10_000)
            .map(|_| flow("65.52.0.1", "green", Effect::NotInterrupted))
            .collect(),
        ..empty()
    }
}

pub(crate) fn drifted() -> Plan {
    let mut topology = picture();
    for rule in &mut topology.rules {
        rule.mark = Mark::Same;
    }
    topology.frontends[1].mark = Mark::Same;
    for (guest, (severity, what)) in topology.guests.iter_mut().zip([
        (Severity::Error, "address 65.52.0.1/32 is missing on lo"),
        (
            Severity::Warning,
            "firewall rule for 65.52.0.1:80 would not survive a reboot",
        ),
    ]) {
        guest.mark = Mark::Same;
        guest.troubles = vec![Trouble {
            severity,
            what: what.into(),
        }];
    }
    Plan {
        topology,
        drift: vec![
            Drift {
                id: "guest.vm2/firewall tcp port 80 to 65.52.0.1/reboot".to_owned(),
                addr: guest("vm2"),
                severity: Severity::Warning,
                kind: DriftKind::WouldNotSurviveReboot,
                what: "firewall rule for 65.52.0.1:80 would not survive a reboot".into(),
                impact: vec![],
                cause: "".into(),
            },
            Drift {
                id: "guest.vm1/address 65.52.0.1".to_owned(),
                addr: guest("vm1"),
                severity: Severity::Error,
                kind: DriftKind::Changed,
                what: "address 65.52.0.1/32 is missing on lo".into(),
                impact: vec![
                    "green 65.52.0.1:80/tcp: connections that Azure sends to vm1 die; its probe goes to the VM's own address and still passes".to_owned(),
                ],
                cause: "since the last apply (someone or something removed it)".into(),
            },
        ],
        not_yet_applied: vec![pending()],
        ..empty()
    }
}

pub(crate) fn map() -> Vec<MapRow> {
    let row = |rule: &str, frontend: &str, address: &str, port, to: Option<&str>, to_port| MapRow {
        load_balancer: balancer(),
        rule: rule.to_owned(),
        frontend: frontend.to_owned(),
        frontend_address: address.parse().ok(),
        protocol: Protocol::Tcp,
        port,
        floating_ip: to.is_some(),
        destinations: match to {
            Some(to) => vec![MapDestination {
                address: to.parse().ok(),
                port: to_port,
                same_address_as_frontend: true,
                same_port_as_frontend: port == to_port,
                guests: vec!["vm1".into(), "vm2".into()],
            }],
            None => ["10.0.0.11", "10.0.0.12"]
                .iter()
                .zip(["vm1", "vm2"])
                .map(|(own, vm)| MapDestination {
                    address: own.parse().ok(),
                    port: to_port,
                    same_address_as_frontend: false,
                    same_port_as_frontend: true,
                    guests: vec![vm.into()],
                })
                .collect(),
        },
        guests: vec!["vm1".into(), "vm2".into()],
    };
    vec![
        row(
            "green",
            "green",
            "65.52.0.1",
            Some(80),
            Some("65.52.0.1"),
            Some(80),
        ),
        row(
            "purple",
            "purple",
            "65.52.0.2",
            Some(80),
            Some("65.52.0.2"),
            Some(80),
        ),
        row(
            "alt",
            "green",
            "65.52.0.1",
            Some(8000),
            Some("65.52.0.1"),
            Some(8080),
        ),
        row("plain", "green", "65.52.0.1", Some(81), None, Some(81)),
        row("new", "blue", "", Some(82), Some(""), Some(82)),
    ]
}

/// An apply in which one guest fails and the load balancer is therefore not written.
pub(crate) fn events() -> Vec<Event> {
    let plan = plan();
    let title = |n: usize| plan.steps[n].title.clone();
    vec![
        Event::Checking,
        Event::Checked { milliseconds: 400 },
        Event::Started {
            step: StepId(1),
            addr: guest("vm1"),
            title: title(0),
        },
        Event::Started {
            step: StepId(2),
            addr: guest("vm2"),
            title: title(1),
        },
        Event::Progress {
            step: StepId(1),
            addr: guest("vm1"),
            note: "waiting for the guest's lock".into(),
        },
        Event::Progress {
            step: StepId(1),
            addr: guest("vm1"),
            note: "waiting for the guest's lock".into(),
        },
        Event::Verified {
            step: StepId(1),
            addr: guest("vm1"),
            title: title(0),
            milliseconds: 600,
        },
        Event::Failed {
            step: StepId(2),
            addr: guest("vm2"),
            title: title(1),
            error: "nft refused: Error: Could not process rule\u{1b}[31m\nexit 1".into(),
            retryable: false,
        },
        Event::Skipped {
            step: StepId(3),
            addr: balancer(),
            title: title(2),
            because: "guest.vm2 is not ready for rule \"purple\"".into(),
        },
        Event::Finished {
            done: 1,
            failed: 1,
            skipped: 1,
            milliseconds: 1500,
        },
    ]
}

pub(crate) fn told() -> Told {
    Told::default()
}

/// Two members, of which one lacks the address and one is as it should be.
pub(crate) fn trace() -> Trace {
    let hop = |kind, state, what: &str, fix| Hop {
        kind,
        state,
        what: what.to_owned(),
        notes: vec![],
        fix,
    };
    let member = |name: &str, own: &str, address: Hop, verdict| MemberTrace {
        name: name.to_owned(),
        guest: Some(guest(name)),
        hops: vec![
            hop(
                HopKind::Pool,
                HopState::Passes,
                &format!("member by {name}-nic/ipconfig1"),
                None,
            ),
            hop(
                HopKind::Probe,
                HopState::Passes,
                &format!("{own}:8080/healthz: nginx listens"),
                None,
            ),
            address,
            hop(
                HopKind::Firewall,
                HopState::Passes,
                "ufw: allow tcp 80",
                None,
            ),
            hop(
                HopKind::Listener,
                HopState::Passes,
                "nginx on 65.52.0.1:80",
                None,
            ),
        ],
        verdict,
        receives: true,
    };
    let missing = hop(
        HopKind::Address,
        HopState::Broken,
        "65.52.0.1 is missing",
        Some(Fix::Apply {
            guest: guest("vm2"),
        }),
    );
    let held = hop(
        HopKind::Address,
        HopState::Passes,
        "65.52.0.1/32 on lo",
        None,
    );
    Trace {
        destination: "65.52.0.1:80".parse().expect("a destination"),
        basis: Basis::Observed,
        routes: vec![Route {
            load_balancer: ArmId::new("/x"),
            addr: Some(balancer()),
            frontend: "green".to_owned(),
            rule: "green".to_owned(),
            inbound_nat: false,
            floating_ip: true,
            pools: vec!["vms".to_owned()],
            mode: GuestMode::Loopback,
            members: vec![
                member("vm1", "10.0.0.11", held, MemberVerdict::Serves),
                member(
                    "vm2",
                    "10.0.0.12",
                    missing,
                    MemberVerdict::Broken {
                        at: HopKind::Address,
                    },
                ),
            ],
        }],
        near: vec![],
        unread: vec![],
    }
}
