//! A plan from recorded facts: by someone without any rights, and without a network.

use crate::support::{EXAMPLE, Folder, namespaces, without_rules};

#[test]
fn a_stranger_plans_from_recorded_facts() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    let said = folder
        .lab(&["snapshot", "--out", "facts.json"])
        .exits(0)
        .stderr;
    assert!(said.contains("plan --snapshot facts.json"), "{said}");
    folder
        .lab(&["plan", "--detailed-exitcode", "--snapshot", "facts.json"])
        .exits(0);

    // A fork: only the configuration and the facts. Nothing is started, asked or written.
    let fork = Folder::new(&without_rules(EXAMPLE, &["purple", "dns"]));
    let facts = std::fs::read_to_string(folder.path().join("facts.json")).unwrap();
    std::fs::write(fork.path().join("facts.json"), &facts).unwrap();
    let plan = fork
        .real(
            &[
                "plan",
                "--detailed-exitcode",
                "--snapshot",
                "facts.json",
                "--out",
                "web.plim",
            ],
            &[],
        )
        .exits(2);
    assert!(plan.stdout.contains("- rule \"purple\""), "{}", plan.stdout);
    assert!(
        plan.stderr.contains("From the snapshot of") && plan.stderr.contains(" old, complete"),
        "{}",
        plan.stderr
    );
    assert!(
        !fork.path().join(".plimsoll").exists(),
        "no lab was started"
    );
    let json = fork
        .real(&["plan", "--snapshot", "facts.json", "--json"], &[])
        .exits(0)
        .json();
    assert_eq!(json["complete"], true, "{json}");
    assert_eq!(json["applyable"], false, "{json}");
    assert!(
        facts.contains(json["created"].as_str().unwrap()),
        "since when: {json}"
    );
    // It is to be read, not to be applied.
    let refused = fork.lab(&["apply", "web.plim"]).exits(1).seen();
    assert!(refused.contains("snapshot"), "{refused}");

    // What the snapshot has not is said, and not guessed.
    fork.write(&EXAMPLE.replace("vm2-nic", "vm3-nic"));
    let seen = fork
        .real(&["plan", "--snapshot", "facts.json"], &[])
        .exits(3)
        .seen();
    assert!(seen.contains("not in the snapshot"), "{seen}");
    std::fs::write(
        fork.path().join("facts.json"),
        facts.replace("65.52.0.1", "65.52.0.9"),
    )
    .unwrap();
    let refused = fork
        .real(&["plan", "--snapshot", "facts.json"], &[])
        .exits(1)
        .seen();
    assert!(refused.contains("checksum"), "{refused}");
}
