//! Ctrl-C and SIGTERM on the real binary: nothing stays locked, and the next run goes on.

use crate::azurite::{Azurite, sas};
use crate::support::{Answer, EXAMPLE, Folder, in_blob, namespaces};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn start(folder: &Folder, environment: &[(&str, &str)]) -> Child {
    folder
        .command()
        .args(["--lab", "-C"])
        .arg(folder.path())
        .args(["apply", "--auto-approve"])
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Until the load balancer is being written.
fn until_switching(folder: &Folder) {
    let began = Instant::now();
    while !folder
        .requests()
        .iter()
        .any(|r| r == "PUT Microsoft.Network/loadBalancers/web")
    {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nothing is written"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn send(signal: &str, child: &Child) {
    let status = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

fn end(child: Child) -> Answer {
    Answer::of(&child.wait_with_output().unwrap())
}

#[test]
fn the_first_signal_finishes_what_is_in_flight() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.lab(&["lab", "up"]).exits(0);
    folder
        .lab(&["lab", "fault", "slow=3s on=loadBalancers"])
        .exits(0);
    let child = start(&folder, &[]);
    until_switching(&folder);
    send("INT", &child);
    let answer = end(child).exits(130);
    let seen = answer.seen();
    assert!(
        seen.contains("Stopping") && seen.contains("Interrupted"),
        "{seen}"
    );
    let state = folder.lab(&["state", "list"]).exits(0).stdout;
    assert!(
        state.contains("load_balancer.web.rule.green"),
        "the write is recorded:\n{state}"
    );
    let show = folder.lab(&["state", "show"]).exits(0).stdout;
    assert!(
        show.contains("unfinished") && show.contains("in part"),
        "{show}"
    );

    folder.lab(&["lab", "fault", "off"]).exits(0);
    folder.apply();
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let show = folder.lab(&["state", "show"]).exits(0).stdout;
    assert!(!show.contains("unfinished"), "{show}");
}

/// A write that takes longer than a runner waits, by a lease that would outlive the run.
#[test]
fn the_second_signal_and_a_runners_patience_give_the_lock_back() {
    if !namespaces() {
        return;
    }
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let token = sas("rwac");
    let environment = [("ARM_SAS_TOKEN", token.as_str())];
    let folder = Folder::new(&in_blob(EXAMPLE, &azurite.service()));
    folder.lab(&["lab", "up"]).exits(0);
    for (signals, patience) in [(2, Duration::from_secs(4)), (1, Duration::from_secs(9))] {
        folder
            .lab(&["lab", "fault", "slow=20s on=loadBalancers"])
            .exits(0);
        folder.clear_requests();
        let child = start(&folder, &environment);
        until_switching(&folder);
        let began = Instant::now();
        for _ in 0..signals {
            send("TERM", &child);
            std::thread::sleep(Duration::from_millis(300));
        }
        let answer = end(child).exits(130);
        assert!(
            began.elapsed() < patience,
            "{signals}: {:?}",
            began.elapsed()
        );
        assert!(answer.stderr.contains("interrupted"), "{}", answer.seen());
        assert!(!answer.seen().contains(&token), "no secret is shown");

        folder.lab(&["lab", "fault", "off"]).exits(0);
        let show = folder
            .lab_with(&["state", "show"], &environment)
            .exits(0)
            .stdout;
        assert!(show.contains("unfinished"), "{show}");
        assert!(show.contains("lock          free"), "{show}");
        // It waits for what Azure is still doing, and goes on.
        folder
            .lab_with(&["apply", "--auto-approve"], &environment)
            .exits(0);
        folder
            .lab_with(&["plan", "--detailed-exitcode"], &environment)
            .exits(0);
        folder.write(&in_blob(
            &EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"),
            &azurite.service(),
        ));
    }
    let kept = folder
        .lab_with(&["state", "pull"], &environment)
        .exits(0)
        .stdout;
    assert!(!kept.contains("sig="), "no secret in the state");
}
