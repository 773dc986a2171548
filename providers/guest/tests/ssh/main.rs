//! The system's ssh client against a real sshd of our own on loopback, unprivileged, with its own keys and files.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot run here says so out loud, and one that cannot go on fails"
)]

use plimsoll_core::apply::ObserveGuests;
use plimsoll_core::model::guest::{Connection, GuestRef, Os};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::{Addr, Kind};
use plimsoll_guest::transport::{Ssh, SshError, Transport, TransportError};
use plimsoll_guest::{Guests, Limits};
use sshd::{Sshd, Trust};
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Hosts and users that mean something to a shell.
mod inert;
mod many;
mod sshd;

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

/// Neither side knows the other's key, only the authority that signed it.
#[tokio::test]
async fn certificates_are_enough_on_both_sides() {
    let Some(sshd) = Sshd::trusting("", Trust::Certificates) else {
        return;
    };
    let output = Ssh::default()
        .run(&sshd.guest("config", "key"), "echo here\n")
        .await;
    match output {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "here\n"),
        Err(TransportError::Ssh(SshError::Sudo { .. })) => {}
        Err(other) => panic!("{other}"),
    }
    // The key alone, without its certificate, is nobody's.
    fs::remove_file(sshd.directory.path().join("key-cert.pub")).unwrap();
    let denied = ssh_error(
        Ssh::default()
            .run(&sshd.guest("config", "key"), "true")
            .await,
    );
    assert!(
        matches!(denied, SshError::PermissionDenied { .. }),
        "{denied}"
    );
}

#[tokio::test]
async fn a_jump_of_the_users_configuration_is_taken() {
    let (Some(jump), Some(target)) = (Sshd::start(""), Sshd::start("")) else {
        return;
    };
    let known = ["known"].map(|name| {
        let read = |sshd: &Sshd| fs::read_to_string(sshd.directory.path().join(name)).unwrap();
        read(&jump) + &read(&target)
    });
    let (place, away) = (target.directory.path(), jump.directory.path());
    fs::write(place.join("both"), known.concat()).unwrap();
    let both = place.join("both");
    let config = format!(
        "Host *\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n  IdentitiesOnly yes\n  IdentityAgent none\n\
         Host inside\n  HostName 127.0.0.1\n  Port {}\n  ProxyJump door\n  IdentityFile {}/key\n\
         Host door\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}/key\n",
        both.display(),
        target.port,
        place.display(),
        jump.port,
        away.display()
    );
    fs::write(place.join("jumping"), config).unwrap();
    let inside = guest(Connection::Ssh {
        host: "inside".to_owned(),
        user: None,
        port: None,
        identity_file: None,
        config_file: target.path("jumping"),
    });
    let reached = Ssh::default().run(&inside, "echo here\n").await;
    assert!(
        matches!(&reached, Ok(output) if output.stdout == b"here\n")
            || matches!(&reached, Err(TransportError::Ssh(SshError::Sudo { .. }))),
        "{reached:?}"
    );
    // It led through the jump: without it there is no way.
    drop(jump);
    assert!(Ssh::default().run(&inside, "echo here\n").await.is_err());
}
