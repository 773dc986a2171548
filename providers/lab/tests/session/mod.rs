//! A lab for one test: in a directory of its own, with two guests, ended when the test ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_lab::agent::{ProbeAnswer, ProbeOrder};
use plimsoll_lab::client::{StartOptions, Status};
use plimsoll_lab::seed::{Protocol, PublicAddress, Seed};
use plimsoll_lab::{Lab, namespaces};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Name, frontend port, backend port, protocol, floating.
pub(crate) type Rule<'a> = (&'a str, u16, u16, &'a str, bool);

pub(crate) struct Session {
    runtime: Runtime,
    directory: tempfile::TempDir,
    lab: Lab,
    stale: String,
}

/// Names the program to use instead, where the built one cannot be read.
const PROGRAM: &str = "PLIMSOLL_LAB_PROGRAM";

/// The program that can be the daemon and its agents.
pub(crate) fn program() -> PathBuf {
    let own = || env!("CARGO_BIN_EXE_plimsoll-lab-host").into();
    std::env::var_os(PROGRAM).map_or_else(own, PathBuf::from)
}

/// Says so when this system cannot run a lab.
pub(crate) fn skipped() -> bool {
    match namespaces::check() {
        Ok(_) => false,
        Err(error) => {
            println!("skipped: {error}");
            true
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn start_on_port(name: &str, port: u16) -> Result<(), String> {
    let directory = tempfile::Builder::new().prefix(name).tempdir().unwrap();
    let options = StartOptions {
        port: Some(port),
        idle: None,
    };
    let lab = runtime().block_on(Lab::ensure_up_with(directory.path(), &program(), &options));
    lab.map(drop).map_err(|error| error.to_string())
}

impl Session {
    pub(crate) fn start(name: &str) -> Option<Self> {
        Self::start_with(name, None)
    }

    pub(crate) fn start_with(name: &str, idle: Option<Duration>) -> Option<Self> {
        if skipped() {
            return None;
        }
        let runtime = runtime();
        let directory = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let options = StartOptions { port: None, idle };
        let lab = runtime
            .block_on(Lab::ensure_up_with(directory.path(), &program(), &options))
            .unwrap();
        let stale = std::fs::read_to_string(lab.layout().lab_file()).unwrap();
        let session = Self {
            runtime,
            directory,
            lab,
            stale,
        };
        session.block(session.lab.seed(&session.seed())).unwrap();
        Some(session)
    }

    pub(crate) fn down_and_up(mut self) -> Self {
        self.block(self.lab.down()).unwrap();
        assert!(Lab::attach(self.directory.path()).is_none());
        self.lab = self
            .block(Lab::ensure_up(self.directory.path(), &program()))
            .unwrap();
        self
    }

    pub(crate) fn id(&self, kind: &str, name: &str) -> String {
        let subscription = self.lab.subscription();
        format!(
            "/subscriptions/{subscription}/resourceGroups/rg-web/providers/Microsoft.Network/{kind}/{name}"
        )
    }

    pub(crate) fn seed(&self) -> Seed {
        let guest = |name: &str| {
            json!({ "name": name, "os": "linux", "network_interfaces": [
                { "id": self.id("networkInterfaces", &format!("{name}-nic")), "ip_configurations": [{ "name": "ipconfig1" }] }]})
        };
        let mut seed: Seed =
            serde_json::from_value(json!({ "guests": [guest("vm1"), guest("vm2")] })).unwrap();
        seed.subscription = self.lab.subscription().to_owned();
        seed.location = "westeurope".into();
        seed.resource_groups = vec!["rg-web".into()];
        seed.public_addresses = vec![PublicAddress {
            id: self.id("publicIPAddresses", "green"),
            address: "65.52.0.1".parse().unwrap(),
        }];
        seed
    }

    pub(crate) fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn stale_file(&self) -> &str {
        &self.stale
    }

    pub(crate) fn status(&self) -> Status {
        self.block(self.lab.status()).unwrap()
    }

    pub(crate) fn reboot(&self, guest: &str) {
        self.block(self.lab.reboot(guest)).unwrap();
    }

    /// The load balancer of the Microsoft page's example, with both guests in its pool.
    pub(crate) fn load_example(&self) {
        self.block(async {
            let public = json!({ "id": self.id("publicIPAddresses", "green"), "name": "green",
                "type": "Microsoft.Network/publicIPAddresses", "location": "westeurope", "sku": { "name": "Standard" },
                "properties": { "publicIPAllocationMethod": "Static", "ipAddress": "65.52.0.1" } });
            self.lab.load(&public).await.unwrap();
            self.load_rules(&[]).await;
            let pool = format!("{}/backendAddressPools/vms", self.id("loadBalancers", "web"));
            for guest in ["vm1", "vm2"] {
                let id = self.id("networkInterfaces", &format!("{guest}-nic"));
                let mut nic = self.lab.arm("GET", &versioned(&id), None).await.unwrap().body.unwrap();
                nic["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] = json!([{ "id": pool }]);
                self.lab.load(&nic).await.unwrap();
            }
        });
    }

    /// The example's load balancer with further rules.
    pub(crate) fn load_balancer(&self, more: &[Rule<'_>]) -> Value {
        let balancer = self.id("loadBalancers", "web");
        let child = |collection: &str, name: &str| json!({ "id": format!("{balancer}/{collection}/{name}") });
        let example = [
            ("green", 80, 80, "Tcp", true),
            ("other-port", 8000, 8080, "Tcp", true),
            ("plain", 81, 81, "Tcp", false),
            ("dns", 53, 53, "Udp", true),
        ];
        let rules: Vec<Value> = example
            .iter()
            .chain(more)
            .map(|(name, frontend_port, backend_port, protocol, floating)| {
                json!({ "name": name, "properties": {
                    "frontendIPConfiguration": child("frontendIPConfigurations", "green"),
                    "backendAddressPool": child("backendAddressPools", "vms"),
                    "backendAddressPools": [child("backendAddressPools", "vms")],
                    "probe": child("probes", "alive"), "protocol": protocol, "frontendPort": frontend_port,
                    "backendPort": backend_port, "enableFloatingIP": floating, "idleTimeoutInMinutes": 4 }})
            })
            .collect();
        json!({ "id": &balancer, "name": "web", "type": "Microsoft.Network/loadBalancers",
            "location": "westeurope", "sku": { "name": "Standard", "tier": "Regional" }, "properties": {
                "frontendIPConfigurations": [{ "id": child("frontendIPConfigurations", "green")["id"], "name": "green", "properties": {
                    "privateIPAllocationMethod": "Dynamic",
                    "publicIPAddress": { "id": self.id("publicIPAddresses", "green") } } }],
                "backendAddressPools": [{ "name": "vms", "properties": {} }],
                "probes": [{ "name": "alive", "properties": { "protocol": "Tcp", "port": 9000, "intervalInSeconds": 5, "numberOfProbes": 2 } }],
                "loadBalancingRules": rules, "inboundNatRules": [], "outboundRules": [] } })
    }

    pub(crate) async fn load_rules(&self, more: &[Rule<'_>]) {
        self.lab.load(&self.load_balancer(more)).await.unwrap();
    }

    /// Writes it as a client would, with an operation that takes its time.
    pub(crate) fn put_rules(&self, more: &[Rule<'_>]) {
        let id = versioned(&self.id("loadBalancers", "web"));
        let document = self.load_balancer(more);
        let reply = self
            .block(self.lab.arm("PUT", &id, Some(document)))
            .unwrap();
        assert!((200..300).contains(&reply.status), "{reply:?}");
    }

    pub(crate) fn probe(&self, port: u16, protocol: Protocol, count: u32) -> Vec<ProbeAnswer> {
        let order = ProbeOrder {
            protocol,
            count,
            ..ProbeOrder::tcp("65.52.0.1".parse().unwrap(), port)
        };
        self.block(self.lab.probe(&order)).unwrap()
    }

    /// Waits until exactly `up` health probes succeed.
    pub(crate) fn wait_for_probes(&self, up: usize) {
        let begun = Instant::now();
        loop {
            let probes = self.status().probes;
            if probes.values().filter(|up| **up).count() == up {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "not {up} up: {probes:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a script in a guest, fed on standard input as the transport does it.
    pub(crate) fn sh(&self, guest: &str, script: &str) -> String {
        let (success, text) = self.run(guest, script);
        assert!(success, "{guest}: {script}\n{text}");
        text
    }

    pub(crate) fn try_sh(&self, guest: &str, script: &str) -> bool {
        self.run(guest, script).0
    }

    fn run(&self, guest: &str, script: &str) -> (bool, String) {
        use std::io::Write as _;
        let mut command = self
            .lab
            .exec_command(guest, &["sh".into(), "-es".into()])
            .unwrap();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr]
            .map(|it| String::from_utf8_lossy(&it).into_owned())
            .concat();
        (output.status.success(), text)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(lab) = Lab::attach(self.directory.path()) {
            let _ = self.runtime.block_on(lab.down());
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.lab.layout().log()).unwrap_or_default();
            println!("the lab's log:\n{log}");
        }
    }
}

fn versioned(id: &str) -> String {
    format!("{id}?api-version=2024-05-01")
}

/// Who answered, each once, in order.
pub(crate) fn guests(answers: &[ProbeAnswer]) -> Vec<String> {
    let names: BTreeSet<String> = answers
        .iter()
        .filter_map(|answer| answer.guest.clone())
        .collect();
    names.into_iter().collect()
}

pub(crate) fn kill(pid: u32) {
    let status = Command::new("sh")
        .args(["-c", "kill -9 \"$1\"", "sh", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// What of the host a lab might change.
pub(crate) fn host() -> [String; 4] {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output
            .map(|it| String::from_utf8_lossy(&it.stdout).into_owned())
            .unwrap_or_default()
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let sbin = |program: &str| {
        std::env::split_paths(&format!("{path}:/usr/sbin:/sbin"))
            .map(|folder| folder.join(program))
            .find(|candidate| candidate.exists())
            .unwrap_or_default()
            .display()
            .to_string()
    };
    [
        run(&sbin("ip"), &["-j", "addr"]),
        run(&sbin("nft"), &["list", "ruleset"]),
        run("ls", &["-laR", "--time-style=full-iso", "/etc"]),
        std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
    ]
}

/// Runs other tests of this file again as an ordinary user, which only root can do.
pub(crate) fn again_as_ordinary_user(tests: &[&str]) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let id = Command::new("id").arg("-u").output().ok()?;
    let setpriv = Command::new("setpriv").arg("--version").output();
    if id.stdout.trim_ascii() != b"0" || setpriv.is_err() || skipped() {
        println!("skipped: only root with setpriv can become another user");
        return None;
    }
    // Where that user can read and execute, whatever the build directory's rights are.
    let directory = tempfile::Builder::new()
        .prefix("ordinary")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let copy = |from: &Path, name: &str| {
        let to = directory.path().join(name);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o755)).unwrap();
        to
    };
    let test = copy(&std::env::current_exe().unwrap(), "tests");
    let host = copy(&program(), "host");
    let temporary = directory.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(test)
        .args(["--exact", "--nocapture"])
        .args(tests)
        .env(PROGRAM, host)
        .env("TMPDIR", temporary)
        .env("HOME", directory.path())
        .current_dir(directory.path())
        .output()
        .unwrap();
    let text = [&output.stdout, &output.stderr]
        .map(|it| String::from_utf8_lossy(it).into_owned())
        .concat();
    assert!(output.status.success(), "{text}");
    Some(text)
}
