//! The system's ssh client against a real sshd of our own on loopback, unprivileged, with its own keys and files.

#![expect(
    clippy::print_stderr,
    reason = "a test that cannot run here says so out loud"
)]

use plimsoll_core::apply::ObserveGuests;
use plimsoll_core::model::guest::{Connection, GuestRef, Os};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::{Addr, Kind};
use plimsoll_guest::transport::{Ssh, SshError, Transport, TransportError};
use plimsoll_guest::{Guests, Limits};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Sshd {
    process: Child,
    directory: tempfile::TempDir,
    port: u16,
}

fn keygen(path: &std::path::Path) -> Option<()> {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status()
        .ok()?;
    status.success().then_some(())
}

impl Sshd {
    /// `None`, out loud, where there is no OpenSSH server.
    fn start(force_command: &str) -> Option<Self> {
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
            .into_iter()
            .map(PathBuf::from)
            .find(|p| p.exists());
        let Some(program) = program else {
            eprintln!("skipped: sshd is missing (package openssh-server)");
            return None;
        };
        let directory = tempfile::tempdir().ok()?;
        let at = |name: &str| directory.path().join(name);
        keygen(&at("host"))?;
        keygen(&at("key"))?;
        fs::copy(at("key.pub"), at("authorized")).ok()?;
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let d = directory.path().display();
        let force = if force_command.is_empty() {
            String::new()
        } else {
            format!("ForceCommand {force_command}\n")
        };
        fs::write(
            at("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {d}/host\nAuthorizedKeysFile {d}/authorized\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin yes\nMaxStartups 100\n{force}"
            ),
        )
        .ok()?;
        let host_key = fs::read_to_string(at("host.pub")).ok()?;
        fs::write(at("known"), format!("[127.0.0.1]:{port} {host_key}")).ok()?;
        fs::write(at("nobody_known"), "").ok()?;
        for (name, known) in [("config", "known"), ("stranger", "nobody_known")] {
            fs::write(
                at(name),
                format!("Host *\n  UserKnownHostsFile {d}/{known}\n  GlobalKnownHostsFile none\n  IdentitiesOnly yes\n  IdentityAgent none\n  KexAlgorithms curve25519-sha256\n"),
            )
            .ok()?;
        }
        // As root, sshd wants a place of its own that a machine without the running service may lack.
        let _ = fs::create_dir_all("/run/sshd");
        let process = Command::new(program)
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(at("sshd_config"))
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let sshd = Self {
            process,
            directory,
            port,
        };
        for _ in 0..50 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(sshd);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("skipped: sshd does not start here");
        None
    }

    fn path(&self, name: &str) -> Option<String> {
        Some(self.directory.path().join(name).display().to_string())
    }

    fn guest(&self, config: &str, key: &str) -> GuestRef {
        guest(Connection::Ssh {
            host: "127.0.0.1".to_owned(),
            user: None,
            port: Some(self.port),
            identity_file: self.path(key),
            config_file: self.path(config),
        })
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn guest(connection: Connection) -> GuestRef {
    GuestRef {
        addr: Addr::new(Kind::Guest, "vm1"),
        os: Os::Linux,
        connection,
    }
}

fn ssh_error(result: Result<plimsoll_guest::transport::Output, TransportError>) -> SshError {
    match result {
        Err(TransportError::Ssh(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn facts_come_through_whatever_the_login_shell_says() {
    let shells = ["sh", "bash", "dash", "busybox sh", "zsh", "fish"];
    for shell in shells {
        let program = shell.split(' ').next().unwrap();
        let there = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status();
        if !there.unwrap().success() {
            eprintln!("skipped: {program} is missing");
            continue;
        }
        let noise = format!(
            "echo plimsoll-facts 1 5; echo noise >&2; exec {shell} -c \"$SSH_ORIGINAL_COMMAND\""
        );
        let Some(sshd) = Sshd::start(&noise) else {
            return;
        };
        let guests = Guests::new(Limits::default());
        match guests.facts(&sshd.guest("config", "key")).await {
            Observation::Present(facts) => {
                assert!(!facts.boot_id.is_empty());
                assert!(
                    facts
                        .listens(
                            plimsoll_core::model::Protocol::Tcp,
                            "127.0.0.1".parse().unwrap(),
                            Some(sshd.port)
                        )
                        .is_some()
                );
            }
            // An ordinary user here may not be allowed to become root; that must be said.
            Observation::Unreadable { why } if why.contains("may not become root") => {}
            other => panic!("{shell}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_fails_is_told_apart_with_the_next_step() {
    let Some(sshd) = Sshd::start("") else { return };
    let ssh = Ssh::default();
    let unknown = ssh_error(ssh.run(&sshd.guest("stranger", "key"), "true").await);
    assert!(
        matches!(unknown, SshError::HostKeyUnknown { .. }),
        "{unknown}"
    );
    assert!(
        unknown
            .to_string()
            .contains(&format!("-p {} 127.0.0.1`", sshd.port)),
        "{unknown}"
    );

    let denied = ssh_error(ssh.run(&sshd.guest("config", "host"), "true").await);
    assert!(
        matches!(denied, SshError::PermissionDenied { .. }),
        "{denied}"
    );

    let other_key = fs::read_to_string(sshd.directory.path().join("key.pub")).unwrap();
    fs::write(
        sshd.directory.path().join("known"),
        format!("[127.0.0.1]:{} {other_key}", sshd.port),
    )
    .unwrap();
    let changed = ssh_error(ssh.run(&sshd.guest("config", "key"), "true").await);
    assert!(
        matches!(changed, SshError::HostKeyChanged { .. }),
        "{changed}"
    );

    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = guest(Connection::Ssh {
        host: "127.0.0.1".to_owned(),
        user: None,
        port: Some(free),
        identity_file: None,
        config_file: sshd.path("config"),
    });
    let unreachable = ssh_error(ssh.run(&nobody, "true").await);
    assert!(
        matches!(unreachable, SshError::Unreachable { .. }),
        "{unreachable}"
    );
    assert!(unreachable.is_retryable() && !denied.is_retryable());
}

#[tokio::test]
async fn a_host_that_looks_like_an_option_is_refused() {
    for host in ["-oProxyCommand=id", "", "a b", "a\nb", "a\u{7f}"] {
        let guest = guest(Connection::Ssh {
            host: host.to_owned(),
            user: None,
            port: None,
            identity_file: None,
            config_file: None,
        });
        let error = ssh_error(Ssh::default().run(&guest, "true").await);
        assert!(matches!(error, SshError::HostName(_)), "{error}");
    }
}

#[tokio::test]
async fn a_guest_that_hangs_times_out_alone() {
    let Some(hanging) = Sshd::start("sleep 5") else {
        return;
    };
    let Some(working) = Sshd::start("") else {
        return;
    };
    let limits = Limits {
        at_once: 2,
        time: Duration::from_secs(3),
    };
    let guests = Guests::new(limits);
    let (hung, worked) = (
        hanging.guest("config", "key"),
        working.guest("config", "key"),
    );
    let (hung, worked) = tokio::join!(guests.facts(&hung), guests.facts(&worked));
    assert!(
        matches!(&hung, Observation::Unreadable { why } if why.contains("no answer within 3 s")),
        "{hung:?}"
    );
    assert!(
        !matches!(&worked, Observation::Unreadable { why } if why.contains("no answer")),
        "{worked:?}"
    );
}
