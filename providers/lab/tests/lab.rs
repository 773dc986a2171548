//! The whole lab, with real namespaces and real packets: as root, and as an ordinary user.

// Said, so that the lints know it for test code.
#[cfg(test)]
mod session;

use std::time::{Duration, Instant};

use plimsoll_lab::Lab;
use plimsoll_lab::agent::ProbeOrder;
use plimsoll_lab::seed::Protocol;
use session::{Session, host, program};

const OPEN: &str = "ip addr add 65.52.0.1/32 dev lo
nft insert rule inet filter input ip daddr 65.52.0.1 tcp dport '{ 80, 8080 }' accept
nft insert rule inet filter input ip daddr 65.52.0.1 udp dport 53 accept
nft insert rule inet filter input tcp dport 81 accept
nft insert rule inet filter input ip saddr 168.63.129.16 tcp dport 9000 accept";

#[test]
fn packets_arrive_as_azure_delivers_them() {
    let Some(session) = Session::start("packets") else {
        return;
    };
    session.load_example();
    // Nothing is open yet: nothing is carried.
    assert!(
        session
            .probe(80, Protocol::Tcp, 2)
            .iter()
            .all(|answer| !answer.ok)
    );
    for guest in ["vm1", "vm2"] {
        session.sh(guest, OPEN);
    }
    session.wait_for_probes(2);

    let answers = session.probe(80, Protocol::Tcp, 20);
    assert!(
        answers
            .iter()
            .all(|it| it.ok && it.seen.as_deref() == Some("65.52.0.1:80")),
        "{answers:?}"
    );
    assert_eq!(session::guests(&answers), ["vm1", "vm2"]);
    // The rule that changes the port keeps the frontend's address.
    let answers = session.probe(8000, Protocol::Tcp, 4);
    assert!(
        answers
            .iter()
            .all(|it| it.seen.as_deref() == Some("65.52.0.1:8080")),
        "{answers:?}"
    );
    // Without floating IP the guest sees its own address.
    for answer in session.probe(81, Protocol::Tcp, 6) {
        let own = if answer.guest.as_deref() == Some("vm1") {
            "10.0.0.11:81"
        } else {
            "10.0.0.12:81"
        };
        assert_eq!(answer.seen.as_deref(), Some(own), "{answer:?}");
    }
    let answers = session.probe(53, Protocol::Udp, 10);
    assert!(
        answers
            .iter()
            .all(|it| it.seen.as_deref() == Some("65.52.0.1:53")),
        "{answers:?}"
    );
    assert_eq!(session::guests(&answers), ["vm1", "vm2"]);
    // No rule names this port.
    assert!(!session.probe(99, Protocol::Tcp, 1)[0].ok);

    // A guest's own outbound connections work, but not with a frontend's address as their source.
    session.sh("vm1", "curl -s -m 3 http://10.0.0.12:81/ >/dev/null");
    assert!(!session.try_sh(
        "vm1",
        "curl -s -m 1 --interface 65.52.0.1 http://203.0.113.9:22/ 2>&1 | grep -q refused"
    ));
}

#[test]
fn a_failing_probe_takes_a_member_out_and_lost_addresses_do_not() {
    let Some(session) = Session::start("probes") else {
        return;
    };
    session.load_example();
    for guest in ["vm1", "vm2"] {
        session.sh(guest, OPEN);
    }
    session.wait_for_probes(2);
    // The probe goes to the VM's own address, so Azure keeps sending to a member without the frontend's.
    session.sh("vm1", "ip addr del 65.52.0.1/32 dev lo");
    let answers = session.probe(80, Protocol::Tcp, 12);
    assert!(
        answers.iter().any(|it| !it.ok) && answers.iter().any(|it| it.ok),
        "{answers:?}"
    );
    session.sh(
        "vm1",
        "ip addr add 65.52.0.1/32 dev lo; nft insert rule inet filter input tcp dport 9000 drop",
    );
    session.wait_for_probes(1);
    let answers = session.probe(80, Protocol::Tcp, 12);
    assert!(answers.iter().all(|it| it.ok), "{answers:?}");
    assert_eq!(session::guests(&answers), ["vm2"]);
}

#[test]
fn a_reboot_loses_what_is_not_persisted_and_runs_what_is() {
    let Some(session) = Session::start("reboot") else {
        return;
    };
    session.sh("vm1", "ip addr add 65.52.0.9/32 dev lo; nft add table inet gone; echo kept >/var/lib/kept; echo gone >/run/gone; echo gone >/tmp/gone");
    session.sh(
        "vm1",
        "cat >/etc/systemd/system/mine.service <<'U'
[Unit]
After=nftables.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip addr replace 65.52.0.8/32 dev lo
ExecStart=-/bin/sh -c 'echo \"two words\" >/run/ran; exit 3'
[Install]
WantedBy=multi-user.target
U
systemctl daemon-reload && systemctl enable mine.service && test \"$(systemctl is-active mine)\" = inactive",
    );
    let before = session.sh("vm1", "cat /proc/sys/kernel/random/boot_id");
    session.reboot("vm1");
    let after = session.sh("vm1", "cat /proc/sys/kernel/random/boot_id");
    assert_ne!(before, after);
    session.sh(
        "vm1",
        "test \"$(cat /var/lib/kept)\" = kept; test ! -e /run/gone; test ! -e /tmp/gone
test \"$(cat /run/ran)\" = 'two words'; systemctl is-active mine; test -d /run/systemd/system
ip -o addr show dev lo | grep -q 65.52.0.8; ! ip -o addr show dev lo | grep -q 65.52.0.9
! nft list table inet gone 2>/dev/null; nft list chain inet filter input | grep -q 'policy drop'
test \"$(hostname)\" = vm1; test \"$(readlink /proc/1/ns/pid)\" = \"$(readlink /proc/self/ns/pid)\"",
    );
    let status = session.status();
    assert_eq!(status.guests[0].boots, 2);
    // Down and up again is a reboot too; /etc and /var/lib survive it, and so do addresses.
    let session = session.down_and_up();
    session.sh(
        "vm1",
        "test \"$(cat /var/lib/kept)\" = kept; ip -o addr show dev lo | grep -q 65.52.0.8",
    );
    assert_eq!(
        session.status().guests[0].nics[0][0].to_string(),
        "10.0.0.11"
    );
}

#[test]
fn changing_rules_disturbs_nobody_else() {
    let Some(session) = Session::start("sustained") else {
        return;
    };
    session.load_example();
    for guest in ["vm1", "vm2"] {
        session.sh(guest, OPEN);
    }
    session.wait_for_probes(2);
    let answers = session.block(async {
        let order = ProbeOrder {
            count: 200,
            interval_milliseconds: 15,
            ..ProbeOrder::tcp("65.52.0.1".parse().unwrap(), 80)
        };
        let probing = session.lab().probe(&order);
        let changing = async {
            for port in 8001..8011 {
                session
                    .load_rules(&[("extra", port, port, "Tcp", true)])
                    .await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::join!(probing, changing).0.unwrap()
    });
    assert_eq!(answers.len(), 200);
    assert!(
        answers.iter().all(|it| it.ok),
        "{:?}",
        answers.iter().find(|it| !it.ok)
    );
}

#[test]
fn packets_follow_when_the_operation_has_finished() {
    let Some(session) = Session::start("operation") else {
        return;
    };
    session.load_example();
    for guest in ["vm1", "vm2"] {
        session.sh(guest, OPEN);
        session.sh(
            guest,
            "nft insert rule inet filter input tcp dport 9001 accept",
        );
    }
    session.wait_for_probes(2);
    session.block(session.lab().fault("slow=3s")).unwrap();
    session.put_rules(&[("fresh", 9001, 9001, "Tcp", true)]);
    // A GET shows the rule already; packets are dropped until the operation has ended.
    assert!(!session.probe(9001, Protocol::Tcp, 1)[0].ok);
    assert!(session.probe(80, Protocol::Tcp, 5).iter().all(|it| it.ok));
    let begun = Instant::now();
    while !session.probe(9001, Protocol::Tcp, 1)[0].ok {
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "the rule goes live"
        );
    }
}

#[test]
fn two_labs_run_side_by_side_and_the_host_stays_as_it_was() {
    let before = host();
    {
        let Some(one) = Session::start("one") else {
            return;
        };
        let Some(two) = Session::start("two") else {
            return;
        };
        one.sh("vm1", "ip addr add 65.52.0.1/32 dev lo; echo one >/etc/mark; ! touch /usr/mark 2>/dev/null; echo x >/tmp/mark");
        assert!(!two.try_sh("vm1", "test -e /etc/mark"));
        assert!(!two.try_sh("vm1", "ip -o addr show dev lo | grep -q 65.52.0.1"));
        assert_ne!(one.lab().endpoint(), two.lab().endpoint());
        assert_eq!(host(), before);
    }
    assert_eq!(host(), before);
    assert!(
        !std::path::Path::new("/etc/mark").exists() && !std::path::Path::new("/tmp/mark").exists()
    );
}

#[test]
fn a_lab_starts_once_ends_when_idle_and_leaves_a_stale_file_behind_harmlessly() {
    let Some(session) = Session::start_with("life", Some(Duration::from_secs(2))) else {
        return;
    };
    let directory = session.directory().to_owned();
    let again = session
        .block(Lab::ensure_up(&directory, &program()))
        .unwrap();
    assert_eq!(
        session.block(again.status()).unwrap().pid,
        session.status().pid
    );
    let begun = Instant::now();
    while Lab::attach(&directory).is_some() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "an idle lab ends"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // It has told everybody off by now, and still cleans up.
    let lock = std::fs::File::open(session.lab().layout().daemon_lock()).unwrap();
    lock.lock_shared().unwrap();
    drop(lock);
    // As a killed daemon leaves it.
    std::fs::write(session.lab().layout().lab_file(), session.stale_file()).unwrap();
    assert!(Lab::attach(&directory).is_none());
    let fresh = session
        .block(Lab::ensure_up(&directory, &program()))
        .unwrap();
    assert!(session.block(fresh.status()).is_ok());
    session.block(fresh.down()).unwrap();
}

#[test]
fn a_killed_daemon_takes_its_guests_along() {
    let Some(session) = Session::start("killed") else {
        return;
    };
    let status = session.status();
    session::kill(status.pid);
    let guest = status.guests[0].pid.unwrap();
    let begun = Instant::now();
    while std::path::Path::new(&format!("/proc/{guest}")).exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "guest {guest} outlives its lab"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Lab::attach(session.directory()).is_none());
}

#[test]
fn a_taken_port_is_said_plainly() {
    if session::skipped() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = session::start_on_port("port", port).unwrap_err();
    assert!(
        error.contains(&format!("Port {port}")) && error.contains("--port"),
        "{error}"
    );
}

#[test]
fn an_ordinary_user_has_the_same_lab() {
    let tests = [
        "packets_arrive_as_azure_delivers_them",
        "a_reboot_loses_what_is_not_persisted_and_runs_what_is",
        "a_killed_daemon_takes_its_guests_along",
    ];
    if let Some(text) = session::again_as_ordinary_user(&tests) {
        // Where user namespaces are forbidden the tests skip themselves, and say why.
        assert!(text.contains("3 passed"), "{text}");
        print!("{text}");
    }
}
