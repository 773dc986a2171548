//! A guest of our own: network, mount and process namespaces with private /run, /var/lib and /etc/systemd.

use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{
    Claim, Connection, EntryKey, EntryState, GuestFacts, GuestRef, Os, Touch,
};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::GuestStep;
use plimsoll_guest::linux;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

const SET_UP: &str = "
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/lock
mount -t tmpfs none /var/lib
mount -t tmpfs none /etc/systemd
mkdir -p /etc/systemd/system
for place in /etc/ufw /etc/firewalld; do
  [ -d $place ] || continue
  mkdir -p /run/copy
  cp -r $place/. /run/copy 2>/dev/null || :
  mount -t tmpfs none $place
  cp -r /run/copy/. $place
  rm -rf /run/copy
done
ip link set lo up
echo ready
exec cat
";

pub(crate) struct Namespace {
    holder: Child,
    inside: String,
}

impl Namespace {
    /// `None`, out loud, where namespaces are forbidden or a tool is missing.
    pub(crate) fn new(nftables: &str) -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().ok()?.stdout == b"0\n";
        let mut command = Command::new("unshare");
        if !is_root {
            command.args(["--user", "--map-root-user"]);
        }
        let mut holder = command
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["sh", "-c", SET_UP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take()?)
            .read_line(&mut said)
            .ok()?;
        if said != "ready\n" {
            eprintln!(
                "skipped: this machine lets nobody make namespaces (unshare --mount --net --pid)"
            );
            let _ = holder.wait();
            return None;
        }
        let outer = holder.id();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
        let inside = children.ok()?.trim().to_owned();
        let namespace = Self { holder, inside };
        if !nftables.is_empty() {
            if !namespace.has("nft") {
                eprintln!("skipped: nft is missing (package nftables)");
                return None;
            }
            namespace.sh(&format!("nft -f - <<'END'\n{nftables}\nEND\n"));
        }
        Some(namespace)
    }

    pub(crate) fn has(&self, tool: &str) -> bool {
        self.run("sh", &format!("command -v {tool}\n"))
            .status
            .success()
    }

    /// The arguments of `nsenter` that lead inside.
    pub(crate) fn entrance(&self) -> Vec<String> {
        let mut arguments = vec!["-t".to_owned(), self.inside.clone()];
        arguments.extend(["-m", "-n", "-p"].map(str::to_owned));
        arguments.extend(user_namespace(&self.inside));
        arguments.push("--".to_owned());
        arguments
    }

    pub(crate) fn run(&self, shell: &str, script: &str) -> Output {
        let mut child = Command::new("nsenter")
            .args(self.entrance())
            .args([shell, "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A shell that stops reading early breaks the pipe; its answer tells.
        let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// What an administrator does; it must work.
    pub(crate) fn sh(&self, script: &str) -> String {
        let output = self.run("sh", script);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn facts(&self) -> GuestFacts {
        let output = self.run("sh", &linux::probe());
        linux::facts::parse(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "{error:?}\n{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// A client behind a link of its own, so that packets come from outside.
    pub(crate) fn join_client(&self) {
        self.sh("set -e
            ip netns add client
            ip link add in0 type veth peer name out0 netns client
            ip link set in0 addrgenmode none up
            ip addr add 203.0.113.1/24 dev in0
            ip -6 addr add fd20::1/64 dev in0 nodad
            # Without a link-local address nobody asks for a neighbour on behalf of an address on lo.
            ip -6 addr add fe80::1/64 dev in0 nodad
            ip -n client link set out0 up
            ip -n client addr add 203.0.113.9/24 dev out0
            ip -n client -6 addr add fd20::9/64 dev out0 nodad
            ip -n client -6 addr add fe80::9/64 dev out0 nodad
            ip -n client route add default via 203.0.113.1
            ip -n client -6 route add default via fd20::1\n");
    }

    /// Whether a connection gets through to a port on which nobody listens: only what the firewall admits is refused by
    /// the guest itself.
    pub(crate) fn arrives(&self, address: &str, port: u16) -> bool {
        let attempt = format!(
            "LC_ALL=C ip netns exec client timeout 2 bash -c ': </dev/tcp/{address}/{port}' 2>&1 | grep -q 'Connection refused'\n"
        );
        self.run("sh", &attempt).status.success()
    }

    /// Everything that an undo must bring back. What stays is the record with the run numbers: see `late`.
    pub(crate) fn everything(&self) -> String {
        self.sh("ip -o addr | sed 's/valid_lft.*//'; nft -s list ruleset 2>/dev/null | grep -v '^# Warning'
            for tool in iptables ip6tables iptables-legacy ip6tables-legacy; do $tool-save 2>/dev/null | sed -e '/^#/d' -e 's/ \\[.*//'; done
            find /etc/systemd /var/lib /run /etc/firewalld -path /run/dbus -prune -o -print 2>/dev/null | sort | grep -vx -e /var/lib/plimsoll -e /var/lib/plimsoll/record.json
            cat /etc/ufw/user.rules /etc/ufw/user6.rules /etc/firewalld/policies/*.xml 2>/dev/null; true\n")
    }

    /// Sends one step the way `enact` does and returns the facts, or what was refused.
    pub(crate) fn enact(&self, step: &Step) -> Result<GuestFacts, String> {
        let facts = self.facts();
        let script = step.script(&facts);
        let output = self.run("sh", &script);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some(line) = printed.lines().find(|l| l.starts_with("plimsoll-refused")) {
            return Err(line.to_owned());
        }
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let facts = linux::facts::parse(&output.stdout).unwrap();
        if facts.waits() {
            let confirmed = self.run("sh", &linux::revert::confirm());
            return Ok(linux::facts::parse(&confirmed.stdout).unwrap());
        }
        Ok(facts)
    }
}

fn user_namespace(inside: &str) -> Vec<String> {
    let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    if of("self") == of(inside) {
        Vec::new()
    } else {
        vec!["-U".to_owned(), "--preserve-credentials".to_owned()]
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// What is left of us once the last entry is gone: nothing but the newest run of each deployment.
pub(crate) fn assert_over(facts: &GuestFacts) {
    let record = facts.record().expect("the runs are remembered");
    assert!(
        record.entries.is_empty() && !record.runs.is_empty(),
        "{record:?}"
    );
    assert!(facts.survives.is_empty());
}

/// Compares what `everything` said and shows only the lines that differ.
pub(crate) fn assert_same(now: &str, before: &str, why: &str) {
    let lines = |of: &str, not: &str| {
        let not: Vec<&str> = not.lines().collect();
        let only: Vec<String> = of
            .lines()
            .filter(|l| !not.contains(l))
            .map(str::to_owned)
            .collect();
        only.join("\n")
    };
    assert!(
        now == before,
        "{why}\nnow only:\n{}\nbefore only:\n{}",
        lines(now, before),
        lines(before, now)
    );
}

/// A step as the planner makes it: from the keys to hold and to let go of.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) claim: Claim,
    pub(crate) run: u64,
    pub(crate) ensure: Vec<EntryKey>,
    pub(crate) release: Vec<EntryKey>,
}

impl Step {
    pub(crate) fn new(run: u64, ensure: &[&str], release: &[&str]) -> Self {
        let keys = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        Self {
            claim: claim("web"),
            run,
            ensure: keys(ensure),
            release: keys(release),
        }
    }

    pub(crate) fn by(mut self, deployment: &str) -> Self {
        self.claim = claim(deployment);
        self
    }

    pub(crate) fn guest_step(&self, facts: &GuestFacts) -> GuestStep {
        let touch = |key: &EntryKey, gains: bool| {
            let before = facts.state_of(key);
            let mut claims = before.claims.clone();
            claims.retain(|c| c.deployment != self.claim.deployment);
            if gains {
                claims.insert(self.claim.clone());
            }
            let stays = !claims.is_empty();
            Touch {
                key: key.clone(),
                before,
                after: EntryState {
                    live: stays,
                    survives: stays,
                    claims,
                },
            }
        };
        GuestStep {
            guest: reference(),
            ensure: self.ensure.iter().map(|k| touch(k, true)).collect(),
            release: self.release.iter().map(|k| touch(k, false)).collect(),
        }
    }

    pub(crate) fn script(&self, facts: &GuestFacts) -> String {
        self.try_script(facts).unwrap_or_else(|why| panic!("{why}"))
    }

    pub(crate) fn try_script(&self, facts: &GuestFacts) -> Result<String, String> {
        let step = self.guest_step(facts);
        let order = GuestOrder {
            step: &step,
            facts,
            claim: &self.claim,
            run: self.run,
        };
        plimsoll_guest::show_script(&order).map_err(|e| e.to_string())
    }
}

pub(crate) fn claim(deployment: &str) -> Claim {
    Claim {
        deployment: deployment.to_owned(),
        lineage: format!("lineage of '{deployment}' $(touch /run/injected) `id`"),
    }
}

pub(crate) fn reference() -> GuestRef {
    GuestRef {
        addr: Addr::new(Kind::Guest, "vm1"),
        os: Os::Linux,
        connection: Connection::Local,
    }
}
