//! The `state` commands, and a state in a blob whose lock somebody takes away.

use crate::azurite::{Azurite, sas};
use crate::support::{EXAMPLE, Folder, in_blob, namespaces};
use std::time::Duration;

#[test]
fn the_record_is_read_and_mended_by_hand() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    let refused = folder.lab(&["state", "list"]).exits(1).seen();
    assert!(
        refused.contains("no state yet") && refused.contains("apply"),
        "{refused}"
    );
    folder.apply();

    let list = folder.lab(&["state", "list"]).exits(0).stdout;
    for line in [
        "guest.vm1",
        "load_balancer.web",
        "load_balancer.web.rule.green",
        "public_ip.purple",
    ] {
        assert!(list.lines().any(|l| l == line), "{line} is not in\n{list}");
    }
    let show = folder.lab(&["state", "show"]).exits(0).stdout;
    for words in [
        "floating-ip",
        "run 1",
        "create load_balancer.web",
        env!("CARGO_PKG_VERSION"),
        "free",
    ] {
        assert!(show.contains(words), "{words} is not in\n{show}");
    }
    let rule = folder
        .lab(&["state", "show", "load_balancer.web.rule.GREEN"])
        .exits(0)
        .stdout;
    assert!(rule.contains("frontend_port"), "{rule}");
    let refused = folder.lab(&["state", "show", "guest.vm3"]).exits(1).seen();
    assert!(refused.contains("Did you mean guest.vm"), "{refused}");

    // Forgotten is not taken away, and declared again it is adopted.
    let before = folder.lab(&["state", "pull"]).exits(0).stdout;
    folder
        .lab(&["state", "rm", "--dry-run", "guest.vm1"])
        .exits(0);
    assert_eq!(folder.lab(&["state", "pull"]).stdout, before, "only said");
    let said = folder
        .lab(&["state", "rm", "guest.vm1", "load_balancer.web.rule.purple"])
        .exits(0)
        .stdout;
    assert!(
        said.contains("65.52.0.1") && said.contains("foreign from now on"),
        "{said}"
    );
    folder.serves("65.52.0.2:80", &["65.52.0.2:80"]);
    folder.apply();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);

    // An older serial and another lineage are refused, and what is there stays.
    let current = folder.lab(&["state", "pull"]).exits(0).stdout;
    std::fs::write(folder.path().join("old.json"), &before).unwrap();
    let lineage = serde_json::from_str::<serde_json::Value>(&before).unwrap()["lineage"].clone();
    let foreign = current.replace(lineage.as_str().unwrap(), "another");
    std::fs::write(folder.path().join("foreign.json"), foreign).unwrap();
    for (file, words) in [
        ("old.json", "would be lost"),
        ("foreign.json", "two different states"),
    ] {
        let refused = folder.lab(&["state", "push", file]).exits(1).seen();
        assert!(
            refused.contains(words) && refused.contains("--force"),
            "{refused}"
        );
        assert_eq!(folder.lab(&["state", "pull"]).stdout, current);
    }
    // A plan that was made before notices that something was pushed over it.
    folder.write(&EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"));
    folder.lab(&["plan", "--out", "web.plim"]).exits(0);
    folder
        .lab(&["state", "push", "--force", "old.json"])
        .exits(0);
    folder.lab(&["apply", "web.plim"]).exits(4);
    assert_eq!(
        folder.lab(&["state", "pull", "--backup"]).exits(0).stdout,
        current
    );

    let moved = folder
        .lab(&["state", "mv", "guest.vm2", "guest.b"])
        .exits(0)
        .stdout;
    assert!(moved.contains("guest.b"), "{moved}");
    folder
        .lab(&["state", "mv", "guest.vm2", "guest.b"])
        .exits(1);
    folder
        .lab(&["state", "mv", "guest.b", "guest.vm2"])
        .exits(0);

    // A damaged state is replaced by its backup with the two commands that the error names.
    std::fs::write(folder.state(), "{\"format\": \"plimsoll-st").unwrap();
    let refused = folder.lab(&["plan"]).exits(1).seen();
    assert!(
        refused.contains("state pull --backup > backup.json"),
        "{refused}"
    );
    let backup = folder.lab(&["state", "pull", "--backup"]).exits(0).stdout;
    std::fs::write(folder.path().join("backup.json"), backup).unwrap();
    folder.lab(&["state", "push", "backup.json"]).exits(1);
    folder
        .lab(&["state", "push", "--force", "backup.json"])
        .exits(0);
    folder.apply();
    folder.lab(&["state", "unlock", "--force"]).exits(0);
}

#[test]
fn a_lock_that_is_taken_away_in_mid_apply_stops_before_the_next_write() {
    if !namespaces() {
        return;
    }
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let token = sas("rwac");
    let environment = [("ARM_SAS_TOKEN", token.as_str())];
    let folder = Folder::new(&in_blob(EXAMPLE, &azurite.service()));
    let run = |arguments: &[&str]| folder.lab_with(arguments, &environment);
    run(&["lab", "up"]).exits(0);
    run(&["lab", "fault", "slow=4s on=loadBalancers"]).exits(0);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| run(&["apply", "--auto-approve"]));
        while !folder
            .requests()
            .iter()
            .any(|r| r == "PUT Microsoft.Network/loadBalancers/web")
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        let second = run(&["apply", "--auto-approve"]).exits(5).seen();
        assert!(
            second.contains("runs apply since"),
            "who holds it: {second}"
        );
        run(&["state", "unlock", "--force"]).exits(0);
        let first = first.join().unwrap();
        assert_eq!(first.code, 1, "{}", first.seen());
        assert!(first.seen().contains("was lost"), "{}", first.seen());
    });
    let later = folder.requests();
    assert!(
        !later
            .iter()
            .any(|r| r.starts_with("PUT") && r.contains("networkInterfaces")),
        "nothing was written after the lock was gone: {later:?}"
    );
    run(&["lab", "fault", "off"]).exits(0);
    run(&["apply", "--auto-approve"]).exits(0);
    run(&["plan", "--detailed-exitcode"]).exits(0);
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
}
