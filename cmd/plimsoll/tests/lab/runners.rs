//! A saved plan that was applied in part, by runners that share nothing but the plan file and the state in its blob.

use crate::azurite::{Azurite, sas};
use crate::support::{EXAMPLE, Folder, in_blob, namespaces};
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::{Duration, Instant};

const PLAN: &str = "web.plim";

/// Another machine: a directory with the configuration and the plan. What stands for Azure and the guests is the same lab.
fn runner(before: &Folder, text: &str) -> Folder {
    let runner = Folder::new(text);
    std::fs::copy(before.path().join(PLAN), runner.path().join(PLAN)).unwrap();
    let lab = before.path().join(".plimsoll");
    symlink(lab.canonicalize().unwrap(), runner.path().join(".plimsoll")).unwrap();
    runner
}

#[test]
fn a_plan_that_was_applied_in_part_goes_on_wherever_it_is() {
    if !namespaces() {
        return;
    }
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let token = sas("rwac");
    let environment = [("ARM_SAS_TOKEN", token.as_str())];
    let text = in_blob(EXAMPLE, &azurite.service());
    let first = Folder::new(&text);
    first
        .lab_with(&["plan", "--out", PLAN], &environment)
        .exits(0);

    // In vm2 the record cannot be written; vm1 does not depend on it, and the load balancer does.
    let in_vm2 = |script: &str| {
        first
            .lab(&["lab", "exec", "vm2", "--", "sh", "-c", script])
            .exits(0);
    };
    in_vm2("mkdir -p /var/lib && touch /var/lib/plimsoll");
    let partly = first.lab_with(&["apply", PLAN], &environment).exits(6);
    let said = partly.seen();
    for words in ["guest.vm2", "load_balancer.web  not done", "apply web.plim"] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    assert!(!first.state().exists(), "the state is in the blob alone");

    // The second runner dies while Azure writes.
    in_vm2("rm /var/lib/plimsoll");
    let second = runner(&first, &text);
    first
        .lab(&["lab", "fault", "slow=4s on=loadBalancers"])
        .exits(0);
    first.clear_requests();
    let mut child = second
        .command()
        .args(["--lab", "-C"])
        .arg(second.path())
        .args(["apply", PLAN])
        .envs(environment)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let put = "PUT Microsoft.Network/loadBalancers/web";
    while !first.requests().iter().any(|request| request == put) {
        assert!(began.elapsed() < Duration::from_secs(60), "no {put}");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    first.lab(&["lab", "fault", "off"]).exits(0);

    let third = runner(&second, &text);
    third
        .lab_with(&["state", "unlock", "--force"], &environment)
        .exits(0);
    let done = third
        .lab_with(&["apply", PLAN], &environment)
        .exits(0)
        .seen();
    for guest in ["guest.vm1", "guest.vm2"] {
        let before = |line: &str| line.contains(guest) && line.contains("done before");
        assert!(done.lines().any(before), "{guest} is done again:\n{done}");
    }
    let puts = third.requests().iter().filter(|r| *r == put).count();
    assert_eq!(puts, 1, "what the dead runner sent is not sent again");
    third
        .lab_with(&["plan", "--detailed-exitcode"], &environment)
        .exits(0);
    third.serves("65.52.0.1:80", &["65.52.0.1:80"]);

    // To read the plan takes the plan and nothing else.
    let empty = tempfile::tempdir().unwrap();
    std::fs::copy(third.path().join(PLAN), empty.path().join(PLAN)).unwrap();
    let shown = third
        .command()
        .arg("-C")
        .arg(empty.path())
        .args(["show", PLAN])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("+ rule \"green\""), "{shown}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 1);
}
