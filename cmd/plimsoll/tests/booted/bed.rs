use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A boot takes a second or two; a loaded machine takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What tells why a machine does not do what it should.
const STATE: &str = "ip -br addr; ip route; ip -6 route; ss -ltnup; systemctl --failed --no-pager --plain; journalctl -b --no-pager -n 40";

/// The fabric's namespaces with all that stands on them.
pub struct Bed {
    holder: Child,
    inside: String,
    machines: BTreeMap<String, Machine>,
}

struct Machine {
    number: u8,
    nics: u8,
    host_key: String,
    nspawn: Option<Child>,
}

/// Where a client connects to, or an application listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub protocol: &'static str,
    pub address: IpAddr,
    pub port: u16,
}

pub fn place(protocol: &'static str, address: &str, port: u16) -> Place {
    Place {
        protocol,
        address: address.parse().unwrap(),
        port,
    }
}

impl Place {
    /// As `trace` takes it: `[fd00:f1::1]:80/udp`.
    pub fn destination(&self) -> String {
        let socket = std::net::SocketAddr::new(self.address, self.port);
        format!("{socket}/{}", self.protocol)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.protocol, self.address, self.port)
    }
}

impl Bed {
    /// `None`, out loud, where nothing can boot.
    pub fn new() -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        if !is_root {
            println!("skipped: a machine that boots needs root");
            return None;
        }
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "sh", "-c", include_str!("fabric.sh")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(holder.stdout.take().unwrap());
        lines.read_line(&mut said).unwrap();
        if said != "ready\n" {
            println!("skipped: this machine lets nobody make a network of namespaces");
            let _ = holder.wait();
            return None;
        }
        let outer = holder.id();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
        Some(Self {
            holder,
            inside: children.unwrap().trim().to_owned(),
            machines: BTreeMap::new(),
        })
    }

    /// What leads into the fabric's network, for a process that stays in the test's own file system.
    pub fn network_entrance(&self) -> String {
        format!("nsenter --net=/proc/{}/ns/net", self.inside)
    }

    fn enter(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.inside, "-m", "-n", "-p", "--"]);
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .enter(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that stops reading early breaks the pipe; its answer tells.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// It must work.
    #[track_caller]
    fn must(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(
            output.status.success(),
            "{input}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// In the fabric.
    #[track_caller]
    pub fn fabric(&self, script: &str) -> String {
        self.must(&["sh", "-s"], script)
    }

    /// A machine, made but not booted. Its user `azureuser` has this login shell and takes this key.
    pub fn make(&mut self, name: &str, nics: u8, shell: &str, public_key: &str) {
        let number = u8::try_from(self.machines.len()).unwrap() + 1;
        let app = format!(
            "cat >/run/bed/{name}.app.py <<'END'\n{}END\n",
            include_str!("app.py")
        );
        self.fabric(&app);
        let (number_word, nics_word) = (number.to_string(), nics.to_string());
        let script = include_str!("machine.sh");
        let words = [
            "sh",
            "-c",
            script,
            "sh",
            name,
            &number_word,
            &nics_word,
            shell,
        ];
        let host_key = self.must(&words, public_key).trim().to_owned();
        let machine = Machine {
            number,
            nics,
            host_key,
            nspawn: None,
        };
        self.machines.insert(name.to_owned(), machine);
    }

    pub fn host_key(&self, name: &str) -> &str {
        &self.machines[name].host_key
    }

    /// The machine's own addresses on one of its NICs.
    pub fn own(&self, name: &str, nic: u8) -> [IpAddr; 2] {
        let number = self.machines[name].number;
        [
            format!("10.{nic}.0.1{number}"),
            format!("fd10:{nic}::1{number}"),
        ]
        .map(|text| text.parse().unwrap())
    }

    /// Boots it in a network namespace that did not exist before: the loopback interface, the firewall in the kernel and
    /// its settings begin anew, as on a real boot.
    pub fn boot(&mut self, name: &str) {
        let (number, nics) = (self.machines[name].number, self.machines[name].nics);
        let mut script = format!("set -e\nip netns add {name}\n");
        for nic in 0..nics {
            // A given hardware address, or neighbours would remember the one of the boot before.
            writeln!(
                script,
                "ip link add eth{nic} address 02:00:00:00:0{nic}:1{number} netns {name} type veth peer name p-{name}-{nic}\n\
                 ip link set p-{name}-{nic} master br{nic} up"
            )
            .unwrap();
        }
        self.fabric(&script);
        let boot = format!(
            "echo $$ >/run/bed/{name}.pid\nSYSTEMD_NSPAWN_API_VFS_WRITABLE=network exec systemd-nspawn --quiet --keep-unit --register=no \
             --network-namespace-path=/run/netns/{name} --kill-signal=SIGRTMIN+3 --capability=all --resolv-conf=off --machine={name} \
             --directory=/run/bed/{name}/root --boot >>/run/bed/{name}.log 2>&1"
        );
        let nspawn = self
            .enter(&["setsid", "sh", "-c", &boot])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.machines.get_mut(name).unwrap().nspawn = Some(nspawn);
        let listening = format!(
            "ip netns exec {name} ss -ltnH 'sport = 22' | grep -q . && [ -n \"$(pgrep -P \"$(cat /run/bed/{name}.pid)\")\" ]"
        );
        self.until(&format!("{name} boots"), |bed| {
            bed.run(&["sh", "-s"], &listening).status.success()
        });
        self.until(&format!("{name} is up"), |bed| {
            let state = bed.inside_output(name, "systemctl is-system-running");
            !String::from_utf8_lossy(&state.stdout).contains("starting")
        });
    }

    #[track_caller]
    pub fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            if began.elapsed() > PATIENCE {
                let mut seen = self.run(&["sh", "-s"], "tail -n 20 /run/bed/*.log").stdout;
                for name in self.machines.keys() {
                    let state = self.inside_output(name, STATE);
                    seen.extend(state.stdout);
                    seen.extend(state.stderr);
                }
                panic!(
                    "{what}: not within {PATIENCE:?}\n{}",
                    String::from_utf8_lossy(&seen)
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// In order, as `poweroff` does it. Its network goes with it.
    pub fn power_off(&mut self, name: &str) {
        self.fabric(&format!("kill -TERM \"$(cat /run/bed/{name}.pid)\""));
        let mut nspawn = self.machines.get_mut(name).unwrap().nspawn.take().unwrap();
        self.until(&format!("{name} powers off"), {
            let nspawn = std::cell::RefCell::new(&mut nspawn);
            move |_| nspawn.borrow_mut().try_wait().unwrap().is_some()
        });
        // A namespace that goes takes its links with it, but not at once.
        let mut script = String::new();
        for nic in 0..self.machines[name].nics {
            writeln!(script, "ip link del p-{name}-{nic}").unwrap();
        }
        self.fabric(&format!("{script}ip netns del {name}"));
    }

    pub fn reboot(&mut self, name: &str) {
        self.power_off(name);
        self.boot(name);
    }

    fn inside_output(&self, name: &str, script: &str) -> Output {
        let enter = format!(
            "exec nsenter -t \"$(pgrep -P \"$(cat /run/bed/{name}.pid)\")\" -m -n -p -u -i -- env -i \
             PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root sh -s"
        );
        self.run(&["sh", "-c", &enter], script)
    }

    /// What an administrator does in a machine; it must work.
    #[track_caller]
    pub fn inside(&self, name: &str, script: &str) -> String {
        let output = self.inside_output(name, script);
        assert!(
            output.status.success(),
            "{script}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Lets the application listen there, and only there.
    pub fn listen(&self, name: &str, places: &[Place]) {
        let lines: String = places.iter().map(|place| format!("{place}\n")).collect();
        self.inside(
            name,
            &format!("cat >/etc/app.conf <<'END'\n{lines}END\nsystemctl restart app\n"),
        );
    }

    /// What a client gets from each place: `65.52.0.1 80` for whom it meant to speak to, `lost`, `refused`.
    pub fn ask(&self, places: &[Place]) -> Vec<String> {
        self.ask_from("client", "", places)
    }

    /// As the platform asks: probes come from the fabric's own address.
    pub fn probe(&self, places: &[Place]) -> Vec<String> {
        let v4 = |place: &&Place| place.address.is_ipv4();
        let (v4, v6): (Vec<&Place>, Vec<&Place>) = places.iter().partition(v4);
        let mut answers: BTreeMap<Place, String> = BTreeMap::new();
        for (source, some) in [("168.63.129.16", v4), ("", v6)] {
            let some: Vec<Place> = some.into_iter().copied().collect();
            let said = self.ask_from("", source, &some);
            answers.extend(some.into_iter().zip(said));
        }
        places.iter().map(|place| answers[place].clone()).collect()
    }

    pub fn ask_from(&self, namespace: &str, source: &str, places: &[Place]) -> Vec<String> {
        if places.is_empty() {
            return Vec::new();
        }
        let input: String = places
            .iter()
            .map(|place| format!("{place} {source}\n"))
            .collect();
        let python = ["python3", "-c", include_str!("client.py")];
        let mut words = Vec::new();
        if !namespace.is_empty() {
            words.extend(["ip", "netns", "exec", namespace]);
        }
        words.extend(python);
        let said = self.must(&words, &input);
        said.lines().map(str::to_owned).collect()
    }

    /// Everything in a machine that an undo must leave as it was, but for the record with the run numbers.
    pub fn everything(&self, name: &str) -> String {
        self.inside(name, include_str!("everything.sh"))
    }

    /// A file of the test that a machine shall have.
    pub fn put(&self, name: &str, path: &Path, text: &str) {
        let path = path.display();
        self.inside(
            name,
            &format!("cat >'{path}' <<'END_OF_FILE'\n{text}END_OF_FILE\n"),
        );
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        for machine in self.machines.values_mut() {
            if let Some(mut nspawn) = machine.nspawn.take() {
                let _ = nspawn.wait();
            }
        }
    }
}
