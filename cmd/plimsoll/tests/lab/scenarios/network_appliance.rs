use crate::support::{Folder, namespaces};
use std::time::{Duration, Instant};

/// A virtual machine of the virtual network, whose subnet has a route to the appliances. It is in no pool.
const SPOKE: &str = r#"
guest "spoke" {
  os = "linux"

  network_interface "main" {
    id               = "${local.network}/networkInterfaces/spoke-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = []
  }

  connection "ssh" {
    host = "spoke.internal"
  }
}
"#;

#[test]
fn routed_and_published_traffic_pass_without_a_loopback_address() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("network-appliance");
    std::fs::write(folder.path().join("spoke.plim.hcl"), SPOKE).unwrap();
    let plan = folder.apply().stdout;
    // guest_mode "none": nothing is demanded, and nothing is warned about.
    assert!(!plan.contains("on lo") && !plan.contains("PL03"), "{plan}");
    for guest in ["nva1", "nva2"] {
        // What the appliance's own software does: forward, translate, and publish the frontend's address.
        folder.inside(
            guest,
            "sysctl -qw net.ipv4.ip_forward=1; \
             nft add table ip nva; \
             nft 'add chain ip nva out { type nat hook postrouting priority 100; }'; \
             nft add rule ip nva out iifname eth1 masquerade; \
             nft 'add chain ip nva in { type nat hook prerouting priority -100; }'; \
             nft add rule ip nva in ip daddr 65.52.5.1 tcp dport 80 redirect to :8008; \
             nft add rule inet filter input tcp dport 8008 accept",
        );
    }
    folder
        .lab(&["lab", "route", "spoke", "203.0.113.0/24", "10.0.0.200"])
        .exits(0);

    // The published service arrives with the frontend's address, which only the appliance's own rule knows.
    // The probes of appliances that have just been set up need a moment.
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let answers = folder.probe("65.52.5.1:80", 8);
        if answers.iter().all(|a| a["ok"] == true) {
            break;
        }
        assert!(Instant::now() < end, "{answers:?}");
    }

    // A server out there, which says who called.
    let server = folder
        .as_client(
            "setsid busybox nc -ll -p 7000 -e sh -c 'echo $NCAT_REMOTE_ADDR hello' </dev/null >/dev/null 2>&1 & echo $!",
        )
        .exits(0);
    let pid: u32 = server.stdout.trim().parse().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let reach = "busybox timeout 3 busybox nc -w 2 203.0.113.9 7000 </dev/null";
    while !folder
        .lab(&["lab", "exec", "spoke", "--", "sh", "-c", reach])
        .stdout
        .contains("hello")
    {
        assert!(Instant::now() < end, "the spoke does not get out");
    }
    for _ in 0..6 {
        assert!(folder.inside("spoke", reach).contains("hello"));
    }
    let passed = |guest: &str| {
        folder
            .inside(guest, "grep -c 'dport=7000' /proc/net/nf_conntrack || true")
            .trim()
            .parse::<u32>()
            .unwrap_or(0)
    };
    let _ = std::process::Command::new("kill")
        .arg(pid.to_string())
        .status();
    for guest in ["nva1", "nva2"] {
        let held = folder.inside(guest, "ip -o addr show");
        assert!(
            !held.contains("10.0.0.200") && !held.contains("65.52.5.1"),
            "{held}"
        );
    }
    assert!(passed("nva1") + passed("nva2") > 0, "an appliance saw it");

    let trace = folder.lab(&["trace", "10.0.0.200:7000"]).exits(0).stdout;
    assert!(trace.contains("guest_mode \"none\""), "{trace}");
    folder.lab(&["drift"]).exits(0);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}
