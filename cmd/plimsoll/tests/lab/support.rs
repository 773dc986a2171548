//! A copy of an example in a folder of its own, with the real binary to drive it. Its lab goes with it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Who runs the program: the tests themselves, or an ordinary user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum User {
    Me,
    /// Only root can become somebody else.
    Nobody,
}

pub struct Folder {
    directory: tempfile::TempDir,
    user: User,
    program: PathBuf,
}

pub const EXAMPLE: &str = include_str!("../../../../examples/floating-ip/web.plim.hcl");

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Both streams: what a person sees.
    pub fn seen(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// One JSON object a line.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

impl Folder {
    pub fn new(configuration: &str) -> Self {
        Self::of(configuration, User::Me)
    }

    pub fn of(configuration: &str, user: User) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder can be made");
        let mut program = PathBuf::from(env!("CARGO_BIN_EXE_plimsoll"));
        if user == User::Nobody {
            // The build folder may be closed to others.
            let copy = directory.path().join("plimsoll");
            std::fs::copy(&program, &copy).expect("the program can be copied");
            program = copy;
        }
        let folder = Self {
            directory,
            user,
            program,
        };
        folder.write(configuration);
        if user == User::Nobody {
            let status = Command::new("chown")
                .args(["-R", "65534:65534"])
                .arg(folder.path())
                .status();
            assert!(
                status.is_ok_and(|s| s.success()),
                "root can give a folder away"
            );
        }
        folder
    }

    /// A copy of a folder of `examples`, with the files beside its configuration.
    pub fn example(name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples")
            .join(name);
        let folder = Self {
            directory: tempfile::tempdir().expect("a temporary folder can be made"),
            user: User::Me,
            program: PathBuf::from(env!("CARGO_BIN_EXE_plimsoll")),
        };
        copy(&from, folder.path());
        folder
    }

    /// A script in a guest of the lab, as its root; what it printed.
    #[track_caller]
    pub fn inside(&self, guest: &str, script: &str) -> String {
        let arguments = ["lab", "exec", guest, "--", "sh", "-ec", script];
        self.lab(&arguments).exits(0).stdout
    }

    /// A script where the clients are; what it printed.
    #[track_caller]
    pub fn as_client(&self, script: &str) -> Answer {
        self.lab(&["lab", "client", "--", "sh", "-ec", script])
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, configuration: &str) {
        std::fs::write(self.path().join("web.plim.hcl"), configuration)
            .expect("the folder is ours");
    }

    pub fn command(&self) -> Command {
        let mut command = match self.user {
            User::Me => Command::new(&self.program),
            User::Nobody => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                    .arg(&self.program);
                command
            }
        };
        command
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .current_dir(self.path());
        command
    }

    /// Runs `plimsoll --lab -C FOLDER …`.
    pub fn lab(&self, arguments: &[&str]) -> Answer {
        self.lab_with(arguments, &[])
    }

    /// The same with these variables.
    pub fn lab_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
        let output = self
            .command()
            .args(["--lab", "-C"])
            .arg(self.path())
            .args(arguments)
            .envs(environment.iter().copied())
            .output();
        Answer::of(&output.expect("the program starts"))
    }

    /// Runs `plimsoll -C FOLDER …`, with these variables.
    pub fn real(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
        let mut command = self.command();
        command
            .args(["-C"])
            .arg(self.path())
            .args(arguments)
            .envs(environment.iter().copied());
        Answer::of(&command.output().expect("the program starts"))
    }

    pub fn apply(&self) -> Answer {
        self.lab(&["apply", "--auto-approve"]).exits(0)
    }

    /// Who answered, and which destination each saw.
    pub fn probe(&self, target: &str, count: usize) -> Vec<Value> {
        self.lab(&["lab", "probe", target, "-n", &count.to_string(), "--json"])
            .lines()
    }

    #[track_caller]
    pub fn serves(&self, target: &str, seen: &[&str]) {
        let answers = self.probe(target, 24);
        let guests: std::collections::BTreeSet<&str> =
            answers.iter().filter_map(|a| a["guest"].as_str()).collect();
        assert_eq!(guests, ["vm1", "vm2"].into(), "{target}: {answers:?}");
        for answer in &answers {
            assert_eq!(answer["ok"], true, "{target}: {answer}");
            let destination = answer["seen"].as_str().unwrap_or_default();
            assert!(
                seen.contains(&destination),
                "{target} saw {destination}, not {seen:?}"
            );
        }
    }

    /// Does something while a client opens more than 50 connections a second, to one target after the other; none may fail.
    pub fn under_load(&self, targets: &[&str], work: impl FnOnce()) {
        let over = AtomicBool::new(false);
        let (failures, total, seconds) = std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                let began = Instant::now();
                let (mut failures, mut total) = (Vec::new(), 0);
                while !over.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(120) {
                    for target in targets {
                        let answers = self.probe(target, 100);
                        total += answers.len();
                        failures.extend(answers.into_iter().filter(|a| a["ok"] != true));
                    }
                }
                (failures, total, began.elapsed().as_secs_f64())
            });
            work();
            over.store(true, Ordering::SeqCst);
            client.join().expect("the client does not panic")
        });
        assert!(failures.is_empty(), "{failures:?}");
        assert!(
            f64::from(u32::try_from(total).expect("not that many")) / seconds >= 50.0,
            "{total} connections in {seconds} s"
        );
    }

    /// The emulator's log as `METHOD path`, network resources only.
    pub fn requests(&self) -> Vec<String> {
        let log = self.lab(&["lab", "requests", "--json"]).exits(0);
        let entries: Vec<Value> = match serde_json::from_str::<Value>(&log.stdout) {
            Ok(Value::Array(all)) => all,
            Ok(Value::Object(map)) => map
                .get("requests")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            _ => log.lines(),
        };
        entries
            .iter()
            .map(|e| {
                let path = e["path"].as_str().unwrap_or_default();
                let short = path.rsplit("/providers/").next().unwrap_or(path);
                format!("{} {short}", e["method"].as_str().unwrap_or_default())
            })
            .collect()
    }

    pub fn clear_requests(&self) {
        self.lab(&["lab", "requests", "--clear"]).exits(0);
    }

    /// Somebody sets the idle timeout of the first rule by hand.
    pub fn edit_in_portal(&self, load_balancer: &str, minutes: u32) {
        let get = self.lab(&["lab", "arm", "GET", load_balancer]).exits(0);
        let mut document = get.json();
        document["properties"]["loadBalancingRules"][0]["properties"]["idleTimeoutInMinutes"] =
            minutes.into();
        // As the portal does: Azure refuses the echo of a pool's members.
        let pools = document["properties"]["backendAddressPools"].as_array_mut();
        for pool in pools.into_iter().flatten() {
            if let Some(properties) = pool["properties"].as_object_mut() {
                properties
                    .retain(|name, _| !name.contains("ddresses") && !name.contains("backendIP"));
            }
        }
        let body = self.path().join("body.json");
        std::fs::write(&body, document.to_string()).expect("the folder is ours");
        let body = body.display().to_string();
        self.lab(&["lab", "arm", "PUT", load_balancer, &body])
            .exits(0);
    }

    pub fn state(&self) -> PathBuf {
        self.path().join(".plimsoll/lab/state.json")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What the lab holds belongs to the user who started it.
        let _ = self.lab(&["lab", "reset"]);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the example is there") {
        let entry = entry.expect("its folder can be read");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            // What a lab that ran there left behind is no part of it.
            if entry.file_name() != ".plimsoll" {
                std::fs::create_dir_all(&target).expect("the folder is ours");
                copy(&source, &target);
            }
        } else {
            std::fs::copy(&source, &target).expect("the folder is ours");
        }
    }
}

/// The same configuration with its state in a blob of a storage account on this machine.
pub fn in_blob(text: &str, service: &str) -> String {
    let local = "  backend \"local\" {\n    path = \"floating-ip.plimsoll.json\"\n  }\n";
    assert!(
        text.contains(local),
        "the example keeps its state in a file"
    );
    let blob = format!(
        "  backend \"azblob\" {{\n    account   = {:?}\n    container = {:?}\n    key       = \"web.json\"\n    endpoint  = {service:?}\n  }}\n",
        crate::azurite::ACCOUNT,
        crate::azurite::CONTAINER
    );
    text.replace(local, &blob)
}

/// Takes `rule` blocks out of a configuration.
pub fn without_rules(text: &str, names: &[&str]) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in text.lines() {
        skipping |= names
            .iter()
            .any(|name| line.trim() == format!("rule \"{name}\" {{"));
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
        skipping &= line != "  }";
    }
    out
}

/// Whether guests can be made here; says so where they cannot.
pub fn namespaces() -> bool {
    let works = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "true",
        ])
        .output()
        .is_ok_and(|o| o.status.success());
    if !works {
        println!("skipped: this machine does not allow user namespaces");
    }
    works
}

pub fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}
