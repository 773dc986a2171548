//! An OpenSSH server of our own on loopback.

use crate::guest;
use plimsoll_core::model::guest::{Connection, GuestRef};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Sshd {
    process: Child,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) port: u16,
}

/// How client and server know each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Keys,
    /// By what one authority signed.
    Certificates,
}

fn keygen(path: &std::path::Path) -> Option<()> {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status()
        .ok()?;
    status.success().then_some(())
}

fn sign(authority: &std::path::Path, options: &[&str], key: &std::path::Path) -> Option<()> {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-I", "test", "-V", "-1h:+1h", "-s"])
        .arg(authority)
        .args(options)
        .arg(key)
        .status()
        .ok()?;
    status.success().then_some(())
}

/// Who logs in: whoever runs the test.
fn user() -> Option<String> {
    let output = Command::new("id").arg("-un").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

impl Sshd {
    pub(crate) fn start(force_command: &str) -> Option<Self> {
        Self::trusting(force_command, Trust::Keys)
    }

    /// `None`, out loud, where there is no OpenSSH server.
    pub(crate) fn trusting(force_command: &str, trust: Trust) -> Option<Self> {
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
        if trust == Trust::Certificates {
            keygen(&at("ca"))?;
            sign(&at("ca"), &["-n", &user()?], &at("key.pub"))?;
            sign(&at("ca"), &["-h", "-n", "127.0.0.1"], &at("host.pub"))?;
            fs::write(at("authorized"), "").ok()?;
        } else {
            fs::copy(at("key.pub"), at("authorized")).ok()?;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let d = directory.path().display();
        let mut more = if force_command.is_empty() {
            String::new()
        } else {
            format!("ForceCommand {force_command}\n")
        };
        if trust == Trust::Certificates {
            more += &format!("TrustedUserCAKeys {d}/ca.pub\nHostCertificate {d}/host-cert.pub\n");
        }
        fs::write(
            at("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {d}/host\nAuthorizedKeysFile {d}/authorized\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin yes\nMaxStartups 100\n{more}"
            ),
        )
        .ok()?;
        let known = match trust {
            Trust::Keys => {
                let host_key = fs::read_to_string(at("host.pub")).ok()?;
                format!("[127.0.0.1]:{port} {host_key}")
            }
            Trust::Certificates => {
                let authority = fs::read_to_string(at("ca.pub")).ok()?;
                format!("@cert-authority * {authority}")
            }
        };
        fs::write(at("known"), known).ok()?;
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

    pub(crate) fn path(&self, name: &str) -> Option<String> {
        Some(self.directory.path().join(name).display().to_string())
    }

    pub(crate) fn guest(&self, config: &str, key: &str) -> GuestRef {
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
