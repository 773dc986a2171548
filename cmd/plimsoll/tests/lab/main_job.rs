use crate::support::{EXAMPLE, Folder, User, is_root, namespaces};

#[test]
fn the_main_job() {
    if namespaces() {
        the_whole_story(&Folder::new(EXAMPLE));
    }
}

#[test]
fn the_main_job_as_an_ordinary_user() {
    if !is_root() {
        println!("the tests run as an ordinary user already: the_main_job has shown it");
        return;
    }
    if namespaces() {
        the_whole_story(&Folder::of(EXAMPLE, User::Nobody));
    }
}

fn the_whole_story(folder: &Folder) {
    let applied = folder.apply();
    assert!(
        applied.seen().contains("lab probe 65.52.0.1:80 -n 20"),
        "{}",
        applied.seen()
    );
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
    folder.serves("65.52.0.2:80", &["65.52.0.2:80"]);
    folder.serves("65.52.0.1:8000", &["65.52.0.1:8080"]);
    folder.serves("65.52.0.1:81", &["10.0.0.11:81", "10.0.0.12:81"]);
    folder.serves("65.52.0.2:53/udp", &["65.52.0.2:53"]);

    folder.clear_requests();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let requests = folder.requests();
    assert!(
        requests.iter().all(|r| r.starts_with("GET ")),
        "{requests:?}"
    );
    // What guards the interfaces is counted apart: one GET for their subnet and one for its group, however many share them.
    let (guards, resources): (Vec<&String>, Vec<&String>) = requests
        .iter()
        .partition(|r| r.contains("/subnets/") || r.contains("networkSecurityGroups"));
    assert_eq!(guards.len(), 2, "{requests:?}");
    assert_eq!(
        resources.len(),
        5,
        "one GET for each load balancer, public IP and NIC: {requests:?}"
    );

    folder
        .lab(&[
            "lab",
            "exec",
            "vm1",
            "--",
            "ip",
            "addr",
            "del",
            "65.52.0.1/32",
            "dev",
            "lo",
        ])
        .exits(0);
    let drift = folder.lab(&["drift"]).exits(2).seen();
    for words in [
        "guest.vm1",
        "65.52.0.1/32 is missing",
        "connections that Azure sends to vm1 die",
        "still passes",
    ] {
        assert!(drift.contains(words), "{words:?} is not in:\n{drift}");
    }
    let heals = folder.lab(&["plan", "--show-scripts", "--parallelism", "1"]);
    let heals = heals.exits(0).seen();
    let (script, plan) = heals.split_once("1 load balancer").unwrap_or_default();
    for words in [
        "Script of step 1, guest.vm1",
        "\nadd_address 65.52.0.1/32\n",
        "\nprint_facts\nexit 0\n}\n",
    ] {
        assert!(script.contains(words), "{words:?} is not in:\n{heals}");
    }
    assert!(!plan.contains("add_address"), "{plan}");
    let json = folder.lab(&["drift", "--json"]).exits(2).json();
    assert_eq!(json["drift"].as_array().map(Vec::len), Some(1), "{json}");
    let answers = folder
        .lab(&["lab", "probe", "65.52.0.1:80", "-n", "40", "--json"])
        .exits(2)
        .lines();
    assert!(
        answers.iter().any(|a| a["ok"] == false),
        "connections to vm1 die"
    );
    assert!(
        answers
            .iter()
            .filter(|a| a["ok"] == true)
            .all(|a| a["guest"] == "vm2")
    );
    folder.apply();
    folder.lab(&["drift"]).exits(0);
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);

    folder.lab(&["lab", "reboot", "vm1"]).exits(0);
    folder.lab(&["drift"]).exits(0);
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);

    folder
        .lab(&[
            "lab",
            "exec",
            "vm2",
            "--",
            "sh",
            "-c",
            "ip addr add 9.9.9.9/32 dev lo && nft add rule inet filter input tcp dport 9999 accept",
        ])
        .exits(0);
    folder.lab(&["destroy", "--auto-approve"]).exits(0);
    for guest in ["vm1", "vm2"] {
        let left = folder.lab(&["lab", "exec", guest, "--", "sh", "-c", "find /etc /tmp -name '*plimsoll*'; ls /var/lib/plimsoll; ip -o addr show dev lo; nft list ruleset"]).stdout;
        assert!(
            !left.contains("65.52.0.") && !left.contains("comment \"plimsoll\""),
            "{guest}:\n{left}"
        );
        assert!(!left.contains("plimsoll"), "{guest}:\n{left}");
        // The record keeps the numbers of the runs, so that a script which arrives late is still refused.
        assert!(left.starts_with("record.json\n"), "{guest}:\n{left}");
        assert_eq!(
            guest == "vm2",
            left.contains("9.9.9.9/32") && left.contains("9999"),
            "what was there stays:\n{left}"
        );
    }
    let addresses = folder.lab(&["lab", "arm", "GET", "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/publicIPAddresses/green"]);
    assert!(
        addresses.exits(0).stdout.contains("65.52.0.1"),
        "public addresses are kept"
    );
    let again = folder.lab(&["destroy", "--auto-approve"]).exits(0).seen();
    assert!(!again.contains("rror"), "{again}");
}
