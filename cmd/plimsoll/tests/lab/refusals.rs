use crate::support::{EXAMPLE, Folder, namespaces};

/// Nothing is started, written or asked for when the configuration is wrong.
#[test]
fn a_wrong_configuration_writes_nothing() {
    let folder = Folder::new(&EXAMPLE.replace("frontend.purple", "frontend.purpel"));
    let refused = folder.lab(&["apply", "--auto-approve"]).exits(1).seen();
    assert!(
        refused.contains("web.plim.hcl:") && refused.contains("did you mean"),
        "{refused}"
    );
    assert!(
        !folder.path().join(".plimsoll").exists(),
        "no lab was started"
    );
}

#[test]
fn a_state_that_is_not_understood_is_left_alone() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    let good = std::fs::read_to_string(folder.state()).unwrap();
    for (text, words) in [
        ("{\"format\": \"plimsoll-st".to_owned(), "damaged"),
        (
            good.replacen("\"version\": 1", "\"version\": 99", 1),
            "format version 99",
        ),
        (
            "{\"version\": 4, \"terraform_version\": \"1.9\"}".to_owned(),
            "not a state of plimsoll",
        ),
    ] {
        std::fs::write(folder.state(), &text).unwrap();
        for command in [
            &["plan"][..],
            &["drift"],
            &["apply", "--auto-approve"],
            &["destroy", "--auto-approve"],
        ] {
            let refused = folder.lab(command).exits(1).seen();
            assert!(
                refused.contains(words),
                "{command:?}: {words:?} is not in:\n{refused}"
            );
            assert_eq!(
                std::fs::read_to_string(folder.state()).unwrap(),
                text,
                "untouched"
            );
        }
    }
    std::fs::write(folder.state(), good).unwrap();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_second_apply_is_told_who_holds_the_lock() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.lab(&["lab", "up"]).exits(0);
    folder.lab(&["lab", "fault", "slow=5s"]).exits(0);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| folder.apply());
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let second = folder.lab(&["apply", "--auto-approve"]).exits(5).seen();
        assert!(second.contains("locked"), "{second}");
        // Who waits long enough gets the lock, and finds nothing left to do.
        let wait = |time| folder.lab(&["apply", "--auto-approve", "--lock-timeout", time]);
        let began = std::time::Instant::now();
        wait("1s").exits(5);
        assert!(began.elapsed() >= std::time::Duration::from_secs(1));
        let patient = scope.spawn(move || wait("2m").exits(0));
        folder.lab(&["plan"]).exits(0);
        assert!(first.join().is_ok());
        let patient = patient.join().unwrap().seen();
        assert!(patient.contains("No changes"), "{patient}");
    });
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_taken_port_is_said_with_the_alternative() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = folder.lab(&["lab", "up", "--port", &port]).exits(1).seen();
    assert!(refused.contains(&port), "{refused}");
}
