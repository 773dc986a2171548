use crate::support::{Answer, Folder, namespaces};
use std::time::{Duration, Instant};

/// What the cluster's address resource and its probe resource do on the node that becomes active: the address goes to the
/// interface of the subnet with the subnet's netmask, as Pacemaker's IPaddr2 does it, and the probe port opens.
fn start(folder: &Folder, guest: &str, address: &str, probe: u16) {
    folder.inside(
        guest,
        &format!(
            "ip addr add {address}/24 dev eth0; \
             setsid busybox nc -ll -p {probe} -e true </dev/null >/dev/null 2>&1 & echo $! >/run/probe-{probe}; sleep 0.1"
        ),
    );
}

fn stop(folder: &Folder, guest: &str, address: &str, probe: u16) {
    folder.inside(
        guest,
        &format!(
            "ip addr del {address}/24 dev eth0; kill $(cat /run/probe-{probe}); rm /run/probe-{probe}"
        ),
    );
}

/// Every connection reaches the guest that holds the address, once Azure has noticed who answers its probe.
fn served_by(folder: &Folder, destination: &str, guest: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answers = folder.probe(destination, 6);
        if answers
            .iter()
            .all(|a| a["ok"] == true && a["guest"] == guest)
        {
            return;
        }
        assert!(Instant::now() < end, "{destination}: {answers:?}");
    }
}

/// `--var os=linux`: the lab has no Windows.
fn sql(folder: &Folder, arguments: &[&str]) -> Answer {
    folder.lab(&[arguments, &["--var", "os=linux"]].concat())
}

#[test]
fn each_listener_is_served_by_the_node_that_holds_it() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("sql-always-on");
    sql(&folder, &["lab", "up"]).exits(0);
    for guest in ["sql1", "sql2"] {
        let ports = ["59999", "59998"];
        folder
            .lab(&[&["lab", "silence", guest][..], &ports].concat())
            .exits(0);
    }
    start(&folder, "sql1", "10.0.0.100", 59999);
    start(&folder, "sql2", "10.0.0.101", 59998);
    sql(&folder, &["apply", "--auto-approve"]).exits(0);
    served_by(&folder, "10.0.0.100:1433", "sql.sql1");
    served_by(&folder, "10.0.0.101:1433", "sql.sql2");
    let trace = sql(&folder, &["trace", "10.0.0.100:1433"]).exits(0).stdout;
    assert!(trace.contains("passive member of the cluster"), "{trace}");

    // Failover.
    stop(&folder, "sql1", "10.0.0.100", 59999);
    start(&folder, "sql2", "10.0.0.100", 59999);
    served_by(&folder, "10.0.0.100:1433", "sql.sql2");
    sql(&folder, &["drift"]).exits(0);
    sql(&folder, &["plan", "--detailed-exitcode"]).exits(0);

    // Nobody holds it, and nobody does at a second look: plan and drift name it.
    stop(&folder, "sql2", "10.0.0.100", 59999);
    let plan = sql(&folder, &["plan"]).exits(0).stdout;
    assert!(plan.contains("PL0316"), "{plan}");
    sql(&folder, &["trace", "10.0.0.100:1433"]).exits(2);
    let drift = sql(&folder, &["drift"]).exits(2).stdout;
    let said = "no member holds the cluster's address 10.0.0.100";
    assert!(drift.contains(said), "{drift}");

    // A failover under way while drift reads alarms nobody: it looks once more.
    let drift = std::thread::scope(|scope| {
        let drift = scope.spawn(|| sql(&folder, &["drift"]));
        std::thread::sleep(Duration::from_millis(1500));
        start(&folder, "sql1", "10.0.0.100", 59999);
        drift.join().expect("drift ends")
    });
    drift.exits(0);

    // Undone, the cluster's own address stays where the cluster put it.
    sql(&folder, &["destroy", "--auto-approve"]).exits(0);
    let held = folder.inside("sql2", "ip -o addr show dev eth0");
    assert!(held.contains("10.0.0.101/24"), "{held}");
}

/// HA ports: any port that the guests serve arrives, at the node where the instance runs.
#[test]
fn sap_instances_are_served_on_every_port_where_they_run() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("sap-netweaver");
    folder.lab(&["lab", "up"]).exits(0);
    for (guest, ports) in [
        ("cs1", &["62000", "62102"][..]),
        ("cs2", &["62000", "62102"]),
        ("hana1", &["62503"]),
        ("hana2", &["62503"]),
    ] {
        folder
            .lab(&[&["lab", "silence", guest][..], ports].concat())
            .exits(0);
        // What Microsoft's guides set on every node.
        folder.inside(guest, "sysctl -qw net.ipv4.tcp_timestamps=0");
    }
    start(&folder, "cs1", "10.0.0.7", 62000);
    start(&folder, "cs2", "10.0.0.8", 62102);
    start(&folder, "hana1", "10.0.0.13", 62503);
    let plan = folder.apply().stdout;
    assert!(!plan.contains("PL03"), "no finding: {plan}");
    for (destination, guest) in [
        ("10.0.0.7:3200", "cs.cs1"),
        ("10.0.0.7:50016", "cs.cs1"),
        ("10.0.0.8:3302", "cs.cs2"),
        ("10.0.0.13:30315", "hana.hana1"),
    ] {
        served_by(&folder, destination, guest);
    }
    // Both groups may run on one node.
    stop(&folder, "cs2", "10.0.0.8", 62102);
    start(&folder, "cs1", "10.0.0.8", 62102);
    served_by(&folder, "10.0.0.8:3302", "cs.cs1");
    folder.lab(&["drift"]).exits(0);
}
