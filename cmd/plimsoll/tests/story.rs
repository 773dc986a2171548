//! The main story on the Microsoft page's example, with real packets: plan, apply, drift, heal, reboot, destroy.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skips"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A copy of the example with a lab of its own, which ends with the test.
struct Story {
    directory: tempfile::TempDir,
}

impl Story {
    fn begin() -> Option<Self> {
        let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/floating-ip");
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(
            example.join("web.plim.hcl"),
            directory.path().join("web.plim.hcl"),
        )
        .unwrap();
        let story = Self { directory };
        let up = story.run(&["lab", "up"]);
        if up.status.success() {
            return Some(story);
        }
        let why = String::from_utf8_lossy(&up.stderr).into_owned();
        // Where the system forbids namespaces there is nothing to see; any other failure is one.
        assert!(
            why.contains("namespaces") || why.contains("The lab needs"),
            "{why}"
        );
        println!("skipped: {why}");
        None
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["--lab", "-C"])
            .arg(self.directory.path())
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{text}\n{talk}"
        );
        text
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.expect(code, arguments)).unwrap()
    }

    /// Who answered, and which destination they saw.
    fn probe(&self, destination: &str) -> Vec<(String, String)> {
        let text = self.expect(0, &["lab", "probe", destination, "-n", "20", "--json"]);
        let mut seen: Vec<(String, String)> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|probe| {
                let text = |name: &str| probe[name].as_str().unwrap().to_owned();
                (text("guest"), text("seen"))
            })
            .collect();
        seen.sort();
        seen.dedup();
        seen
    }

    fn rewrite(&self, change: impl Fn(&str) -> String) {
        let path = self.directory.path().join("web.plim.hcl");
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = change(&text);
        assert_ne!(
            text, changed,
            "the example no longer holds what the test changes"
        );
        std::fs::write(path, changed).unwrap();
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let _ = self.run(&["lab", "reset"]);
    }
}

fn both(seen: &str) -> Vec<(String, String)> {
    ["vm1", "vm2"]
        .map(|guest| (guest.to_owned(), seen.to_owned()))
        .into()
}

#[test]
fn from_nothing_to_packets_and_back() {
    let Some(story) = Story::begin() else { return };
    // Nobody is there to say yes.
    assert_eq!(story.run(&["apply"]).status.code(), Some(1));
    assert!(!story.path().join(".plimsoll/lab/state.json").exists());
    let text = story.expect(0, &["apply", "--auto-approve"]);
    assert!(text.contains("lab probe 65.52.0.1:80 -n 20"), "{text}");
    assert_eq!(story.probe("65.52.0.1:80"), both("65.52.0.1:80"));
    assert_eq!(story.probe("65.52.0.2:80"), both("65.52.0.2:80"));
    assert_eq!(story.probe("65.52.0.1:8000"), both("65.52.0.1:8080"));
    assert_eq!(story.probe("65.52.0.2:53/udp"), both("65.52.0.2:53"));
    let own: Vec<String> = story
        .probe("65.52.0.1:81")
        .into_iter()
        .map(|(_, seen)| seen)
        .collect();
    assert_eq!(own, ["10.0.0.11:81", "10.0.0.12:81"]);

    // A second plan finds nothing to do, and only reads.
    story.expect(0, &["lab", "requests", "--clear"]);
    story.expect(0, &["plan", "--detailed-exitcode"]);
    let requests = story.json(0, &["lab", "requests", "--json"]);
    assert!(
        requests
            .as_array()
            .unwrap()
            .iter()
            .all(|r| r["method"] == "GET" || r["class"] != "network")
    );

    // Someone takes an address away: drift says so, packets say so, apply heals it.
    story.expect(
        0,
        &[
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
        ],
    );
    let drift = story.json(2, &["drift", "--json"]);
    assert_eq!(drift["drift"][0]["address"], "guest.vm1");
    assert!(
        drift["drift"][0]["what"]
            .as_str()
            .unwrap()
            .contains("65.52.0.1")
    );
    story.expect(2, &["lab", "probe", "65.52.0.1:80", "-n", "20"]);
    story.expect(0, &["apply", "--auto-approve"]);
    story.expect(0, &["drift"]);
    story.expect(0, &["lab", "reboot", "vm1"]);
    story.expect(0, &["drift"]);
    assert_eq!(story.probe("65.52.0.1:80"), both("65.52.0.1:80"));

    // A saved plan is applied exactly, once; afterwards, and after an edit, it is stale.
    story.rewrite(|text| {
        text.replacen(
            "floating_ip   = true",
            "floating_ip   = true\n    idle_timeout_in_minutes = 15",
            1,
        )
    });
    story.expect(2, &["plan", "--detailed-exitcode", "--out", "x.plim"]);
    story.expect(0, &["show", "x.plim"]);
    story.expect(0, &["apply", "x.plim"]);
    story.expect(4, &["apply", "x.plim"]);

    // Somebody edits the load balancer between plan and apply: nothing is written, the edit survives.
    story.rewrite(|text| {
        text.replacen(
            "idle_timeout_in_minutes = 15",
            "idle_timeout_in_minutes = 16",
            1,
        )
    });
    story.expect(0, &["plan", "--out", "y.plim"]);
    let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web";
    let mut document = story.json(0, &["lab", "arm", "GET", id]);
    let rules = document["properties"]["loadBalancingRules"]
        .as_array_mut()
        .unwrap();
    let plain = rules
        .iter_mut()
        .find(|rule| rule["name"] == "plain")
        .unwrap();
    plain["properties"]["idleTimeoutInMinutes"] = 11.into();
    std::fs::write(story.path().join("edit.json"), document.to_string()).unwrap();
    story.expect(0, &["lab", "arm", "PUT", id, "edit.json"]);
    let text = story.expect(4, &["apply", "y.plim"]);
    assert!(text.contains("plain"), "{text}");
    let rule = format!("{id}/loadBalancingRules/plain");
    let kept = story.json(0, &["lab", "arm", "GET", &rule]);
    assert_eq!(kept["properties"]["idleTimeoutInMinutes"], 11);
    story.expect(2, &["drift"]);

    let text = story.expect(0, &["destroy", "--auto-approve"]);
    assert!(text.contains("public_ip.green"), "{text}");
    let left = story.expect(
        0,
        &[
            "lab", "exec", "vm1", "--", "ip", "-br", "addr", "show", "lo",
        ],
    );
    assert!(!left.contains("65.52.0"), "{left}");
}

#[test]
fn a_guests_command_passes_its_exit_code_on() {
    let Some(story) = Story::begin() else { return };
    story.expect(7, &["lab", "exec", "vm1", "--", "sh", "-c", "exit 7"]);
    story.expect(1, &["lab", "exec", "vm9", "--", "true"]);
    let status = story.json(0, &["lab", "status", "--json"]);
    for name in [
        "endpoint",
        "token_endpoint",
        "ca_file",
        "subscription",
        "tenant",
        "client_id",
    ] {
        assert!(status[name].is_string(), "{name}");
    }
    story.expect(0, &["lab", "down"]);
    assert_eq!(
        story.json(0, &["lab", "status", "--json"])["running"],
        false
    );
}
