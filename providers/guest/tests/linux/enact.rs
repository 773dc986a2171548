//! The traits that the engine calls, over a transport made of a command, as the lab does it.

use crate::namespace::{Namespace, Step, assert_over, reference};
use crate::writes::DROPPING;
use plimsoll_core::apply::{EnactGuests, GuestOrder, ObserveGuests, WorldError};
use plimsoll_core::model::guest::GuestFacts;
use plimsoll_core::model::observed::Observation;
use plimsoll_guest::transport::CommandTransport;
use plimsoll_guest::{Guests, Limits};

const KEYS: [&str; 3] = [
    "address 65.52.0.1",
    "firewall tcp port 80 to 65.52.0.1",
    "firewall udp port 53 to 65.52.0.1",
];

fn guests(namespace: &Namespace) -> Guests {
    let entrance = namespace.entrance();
    Guests::new(Limits::default()).instead(Box::new(CommandTransport::new(move |_| {
        let mut command = std::process::Command::new("nsenter");
        command.args(&entrance).args(["sh", "-s"]);
        Ok(command)
    })))
}

async fn enact(guests: &Guests, facts: &GuestFacts, step: &Step) -> Result<GuestFacts, WorldError> {
    let guest_step = step.guest_step(facts);
    let order = GuestOrder {
        step: &guest_step,
        facts,
        claim: &step.claim,
        run: step.run,
    };
    guests.enact(&order).await
}

async fn read(guests: &Guests) -> GuestFacts {
    match guests.facts(&reference()).await {
        Observation::Present(facts) => facts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_step_ends_with_the_facts_that_prove_it() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let guests = guests(&namespace);
    let facts = read(&guests).await;
    let after = enact(&guests, &facts, &Step::new(1, &KEYS, &[]))
        .await
        .unwrap();
    assert_eq!(after, read(&guests).await);
    // The facts before the write are no longer good enough for another one that wants the same.
    let stale = enact(&guests, &facts, &Step::new(1, &KEYS, &[]).by("other")).await;
    assert!(
        matches!(&stale, Err(WorldError::Stale { target, .. }) if target == "guest.vm1"),
        "{stale:?}"
    );
    let last = enact(&guests, &after, &Step::new(2, &[], &KEYS))
        .await
        .unwrap();
    assert_over(&last);
}

/// Two deployments share the guest and write it at the same moment.
#[tokio::test]
async fn what_another_deployment_wrote_elsewhere_in_the_guest_is_read_again() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let guests = guests(&namespace);
    let before = read(&guests).await;
    let theirs = Step::new(1, &KEYS, &[]).by("other");
    enact(&guests, &before, &theirs).await.unwrap();
    let ours = Step::new(1, &["address 65.52.0.2"], &[]);
    let after = enact(&guests, &before, &ours).await.unwrap();
    let record = after.record().unwrap();
    assert_eq!(record.entries.len(), KEYS.len() + 1, "{record:?}");
    let kept = &record.entries[&KEYS[0].parse().unwrap()];
    assert_eq!(kept.claims.len(), 1, "{kept:?}");
}

#[tokio::test]
async fn a_tool_that_lies_is_found_out() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let guests = guests(&namespace);
    let facts = read(&guests).await;
    namespace.sh(r#"mount -t tmpfs none /usr/local/sbin
cat >/usr/local/sbin/nft <<'END'
#!/bin/sh
PATH=/usr/sbin:/sbin:/usr/bin:/bin
if [ "$*" = '-f -' ]; then grep -v 'dport 53' | nft -f -; else exec nft "$@"; fi
END
chmod +x /usr/local/sbin/nft
"#);
    let error = enact(&guests, &facts, &Step::new(1, &KEYS, &[]))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("firewall udp port 53 to 65.52.0.1 is not in force"),
        "{error}"
    );
    assert!(!error.contains("tcp port 80"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_before_anything_is_sent() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let guests = guests(&namespace);
    let mut facts = read(&guests).await;
    facts.init = "openrc-init".to_owned();
    let error = enact(&guests, &facts, &Step::new(1, &KEYS, &[]))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("guest.vm1: the guest boots with openrc-init"),
        "{error}"
    );
    let unknown = "address known after apply: /subscriptions/s/x";
    facts.init = "systemd".to_owned();
    let error = enact(&guests, &facts, &Step::new(1, &[unknown], &[]))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("This is a bug"), "{error}");
}

#[tokio::test]
async fn a_huge_guest() {
    let rules: String = (0..10_000)
        .map(|n| {
            format!(
                "\t\ttcp dport {} ip saddr 10.{}.{}.0/24 accept comment \"rule {n}\"\n",
                1000 + n % 5000,
                n / 250,
                n % 250
            )
        })
        .collect();
    let Some(namespace) =
        Namespace::new(&DROPPING.replace("iif lo accept\n", &format!("iif lo accept\n{rules}")))
    else {
        return;
    };
    namespace.sh("for a in $(seq 0 999); do echo \"addr add 10.77.$((a / 250)).$((a % 250))/32 dev lo\"; done | ip -batch -\n");
    let guests = guests(&namespace);
    let facts = read(&guests).await;
    assert!(facts.addresses.len() > 1000 && facts.firewall.base[0].rules.len() > 10_000);
    let keys: Vec<String> = (1..=300)
        .map(|n| format!("firewall tcp port {n} to 65.52.0.1"))
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    enact(&guests, &facts, &Step::new(1, &keys, &[]))
        .await
        .unwrap();
}

#[test]
fn every_shell_runs_both_scripts() {
    for shell in ["sh", "bash", "dash", "busybox"] {
        let Some(namespace) = Namespace::new(DROPPING) else {
            return;
        };
        if !namespace.has(shell) {
            eprintln!("skipped: {shell} is missing");
            continue;
        }
        let shell = if shell == "busybox" {
            "/usr/bin/busybox sh"
        } else {
            shell
        };
        let before = namespace.everything();
        for step in [Step::new(1, &KEYS, &[]), Step::new(2, &[], &KEYS)] {
            let script = format!(
                "exec {shell} -s <<'SCRIPT'\n{}SCRIPT\n",
                step.script(&namespace.facts())
            );
            let output = namespace.run("sh", &script);
            assert!(
                output.status.success(),
                "{shell}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let facts = plimsoll_guest::linux::facts::parse(&output.stdout).unwrap();
            // The kernel gives two numbers in one piece, and only once.
            let range = &facts.settings["net.ipv4.ip_local_port_range"];
            assert_eq!(range.split(' ').count(), 2, "{shell}: {range}");
            assert!(facts.settings.contains_key("net.ipv4.conf.lo.rp_filter"));
        }
        crate::namespace::assert_same(&namespace.everything(), &before, shell);
    }
}
