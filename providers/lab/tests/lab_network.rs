//! The less usual ways through the fabric, and what a lab does about trouble around it.

// Said, so that the lints know it for test code.
#[cfg(test)]
#[expect(dead_code, reason = "each test program uses a part of the session")]
mod session;

use std::time::{Duration, Instant};

use plimsoll_lab::Lab;
use plimsoll_lab::agent::ProbeOrder;
use plimsoll_lab::layout::GuestName;
use plimsoll_lab::seed::{Port, Protocol};
use session::{Session, program};

#[cfg(test)]
mod appliance {
    use plimsoll_lab::seed::{Port, Protocol, SeedIpConfiguration, SeedNetworkInterface};
    use serde_json::json;

    use super::session::Session;

    /// An internal load balancer with one HA-ports rule in front of `vm1`'s second NIC, and an IPv6 rule.
    pub(super) fn load_appliance(session: &Session) {
        let balancer = session.id("loadBalancers", "appliance");
        let child = |collection: &str, name: &str| json!({ "id": format!("{balancer}/{collection}/{name}") });
        // Azure gives a frontend a private address only in a subnet.
        let subnet = |name: &str| json!({ "id": format!("{}/subnets/{name}", session.id("virtualNetworks", "front")) });
        let rule = |name: &str, pool: &str, protocol: &str, frontend: u16, backend: u16| {
            json!({ "name": name, "properties": {
            "frontendIPConfiguration": child("frontendIPConfigurations", name),
            "backendAddressPool": child("backendAddressPools", pool),
            "protocol": protocol, "frontendPort": frontend, "backendPort": backend, "enableFloatingIP": true }})
        };
        let document = json!({ "id": &balancer, "name": "appliance", "type": "Microsoft.Network/loadBalancers",
        "location": "westeurope", "sku": { "name": "Standard" }, "properties": {
            "frontendIPConfigurations": [
                { "name": "ha", "properties": { "subnet": subnet("four"), "privateIPAddress": "10.0.0.100", "privateIPAllocationMethod": "Static" } },
                { "name": "six", "properties": { "subnet": subnet("six"), "privateIPAddress": "fd00:f1::1", "privateIPAllocationMethod": "Static", "privateIPAddressVersion": "IPv6" } },
            ],
            "backendAddressPools": [{ "name": "second", "properties": {} }, { "name": "six", "properties": {} }],
            "loadBalancingRules": [rule("ha", "second", "All", 0, 0), rule("six", "six", "Tcp", 80, 8080)] } });
        session.block(async {
            session.lab().load(&document).await.unwrap();
            for (nic, configuration, pool) in [
                ("vm1-second", "ipconfig1", "second"),
                ("vm2-nic", "ipconfig-v6", "six"),
            ] {
                let id = session.id("networkInterfaces", nic);
                let mut nic = session
                    .lab()
                    .arm("GET", &format!("{id}?api-version=2024-05-01"), None)
                    .await
                    .unwrap()
                    .body
                    .unwrap();
                for found in nic["properties"]["ipConfigurations"]
                    .as_array_mut()
                    .unwrap()
                {
                    if found["name"].as_str() == Some(configuration) {
                        found["properties"]["loadBalancerBackendAddressPools"] =
                            json!([child("backendAddressPools", pool)]);
                    }
                }
                session.lab().load(&nic).await.unwrap();
            }
        });
    }

    pub(super) fn with_more_interfaces(session: &Session) {
        let mut seed = session.seed();
        let configuration = |name: &str| SeedIpConfiguration {
            name: name.into(),
            address: None,
        };
        seed.guests[0]
            .network_interfaces
            .push(SeedNetworkInterface {
                id: session.id("networkInterfaces", "vm1-second"),
                ip_configurations: vec![configuration("ipconfig1")],
            });
        // HA ports say no port; the configuration does.
        seed.guests[0].listen = vec![Port {
            protocol: Protocol::Tcp,
            port: 7000,
        }];
        seed.guests[1].network_interfaces[0]
            .ip_configurations
            .push(configuration("ipconfig-v6"));
        session.block(session.lab().seed(&seed)).unwrap();
    }
}

#[test]
fn ha_ports_second_nics_and_ipv6() {
    let Some(session) = Session::start("appliance") else {
        return;
    };
    appliance::with_more_interfaces(&session);
    let status = session.status();
    assert_eq!(
        status.guests[0].boots, 1,
        "a NIC is attached to the running guest"
    );
    assert_eq!(status.guests[0].nics[1][0].to_string(), "10.0.0.13");
    appliance::load_appliance(&session);
    session.sh("vm1", "ip -o addr show dev eth1 | grep -q 10.0.0.13
ip addr add 10.0.0.100/32 dev lo; nft insert rule inet filter input iifname eth1 ip daddr 10.0.0.100 accept");
    session.sh("vm2", "ip addr add fd00:f1::1/128 dev lo; nft insert rule inet filter input ip6 daddr fd00:f1::1 tcp dport 8080 accept");
    for (address, port, seen) in [
        ("10.0.0.100", 7000, "10.0.0.100:7000"),
        ("fd00:f1::1", 80, "[fd00:f1::1]:8080"),
    ] {
        let one = ProbeOrder::tcp(address.parse().unwrap(), port);
        // The kernel drops what is sent before the link of a NIC is up, and this one was attached a moment ago.
        let begun = Instant::now();
        while !session.block(session.lab().probe(&one)).unwrap()[0].ok {
            assert!(begun.elapsed() < Duration::from_secs(20), "{address}");
        }
        let order = ProbeOrder { count: 5, ..one };
        let answers = session.block(session.lab().probe(&order)).unwrap();
        assert!(
            answers.iter().all(|it| it.seen.as_deref() == Some(seen)),
            "{answers:?}"
        );
    }
}

#[test]
fn a_port_taken_by_an_application_is_left_to_it_and_taken_back() {
    let Some(session) = Session::start("taken") else {
        return;
    };
    // Another program in the guest, which happens to answer like a responder of another name.
    session.sh("vm1", "nft insert rule inet filter input tcp dport 7000 accept
(echo '{\"number\":1,\"order\":{\"listen\":[{\"protocol\":\"tcp\",\"port\":7000}]}}'; sleep 60) 2>/dev/null | /run/lab/bin/plimsoll lab-agent guest application >/dev/null 2>&1 &
echo $! >/run/application.pid
for _ in $(seq 200); do ss -Hltn sport = :7000 | grep -q . && exit; sleep 0.1; done; exit 1");
    let mut seed = session.seed();
    seed.guests[0].listen = vec![Port {
        protocol: Protocol::Tcp,
        port: 7000,
    }];
    session.block(session.lab().seed(&seed)).unwrap();
    let ask = || {
        let order = ProbeOrder::tcp("10.0.0.11".parse().unwrap(), 7000);
        session.block(session.lab().probe(&order)).unwrap()[0]
            .guest
            .clone()
    };
    assert_eq!(ask().as_deref(), Some("application"));
    session.sh("vm1", "kill $(cat /run/application.pid)");
    let begun = Instant::now();
    while ask().as_deref() != Some("vm1") {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the responder takes the port back"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_change_of_documents_reaches_the_packets_at_once() {
    let Some(session) = Session::start("speed") else {
        return;
    };
    session.load_example();
    for guest in ["vm1", "vm2"] {
        session.sh(
            guest,
            "ip addr add 65.52.0.1/32 dev lo; nft insert rule inet filter input accept",
        );
    }
    session.wait_for_probes(2);
    for port in [9001, 9002, 9003] {
        session.block(session.load_rules(&[("fresh", port, port, "Tcp", true)]));
        // 100 ms is the promise; a machine that runs all tests at once gets the double.
        std::thread::sleep(Duration::from_millis(200));
        let answers = session.probe(port, Protocol::Tcp, 4);
        assert!(answers.iter().all(|it| it.ok), "{answers:?}");
    }
}

#[test]
fn commands_at_the_same_time_start_one_lab() {
    if session::skipped() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let ensure = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let lab = Lab::ensure_up(directory.path(), &program()).await.unwrap();
            lab.status().await.unwrap().pid
        })
    };
    let pids: Vec<u32> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..4).map(|_| scope.spawn(ensure)).collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Lab::reset(directory.path())).unwrap();
    assert!(Lab::attach(directory.path()).is_none());
    assert!(!directory.path().join(".plimsoll/lab").exists());
}

#[test]
fn forbidden_namespaces_are_said_with_the_way_out() {
    if session::skipped() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A user namespace in which no further one may be made, and then a user without rights in it.
    let script =
        "echo 1 >/proc/sys/user/max_user_namespaces && exec unshare --user --map-user=1000 \"$@\"";
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script, "sh"])
        .arg(program())
        .arg("lab-daemon")
        .arg(directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(
        text.contains("root") && text.contains("sysctl") && text.contains("max_user_namespaces"),
        "{text}"
    );
}

#[test]
fn unknown_and_windows_guests_are_answered_plainly() {
    let Some(session) = Session::start("names") else {
        return;
    };
    let mut seed = session.seed();
    let mut windows = seed.guests[1].clone();
    windows.name = GuestName::parse("win").unwrap();
    windows.os = "windows".into();
    windows.network_interfaces[0].id = session.id("networkInterfaces", "win-nic");
    seed.guests.push(windows);
    let status = session.block(session.lab().seed(&seed)).unwrap();
    let windows = status
        .guests
        .iter()
        .find(|guest| guest.name.as_str() == "win")
        .unwrap();
    assert!(windows.pid.is_none() && windows.note.as_deref().unwrap().contains("Windows"));
    let error = |guest: &str| {
        session
            .block(session.lab().reboot(guest))
            .unwrap_err()
            .to_string()
    };
    assert!(error("win").contains("Windows"), "{}", error("win"));
    // The command of `lab exec`, which asks nobody.
    let command = |guest: &str| session.lab().exec_command(guest, &["true".to_owned()]);
    let why = command("win").unwrap_err().to_string();
    assert!(why.contains("is a Windows guest"), "{why}");
    let why = command("vm9").unwrap_err().to_string();
    assert!(why.contains("no guest named `vm9`"), "{why}");
    assert!(error("vm9").contains("vm1"), "{}", error("vm9"));
    assert!(error("../etc").contains("1 to 64"), "{}", error("../etc"));
    // Renamed in the configuration, it is the machine that it was, and answers to both names.
    seed.guests[1].name = GuestName::parse("other").unwrap();
    let renamed = session.block(session.lab().seed(&seed)).unwrap();
    let names = renamed.guests.iter().map(|guest| guest.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["vm1", "vm2", "win"]);
    assert!(renamed.guests[1].pid.is_some() && renamed.guests[1].pid == status.guests[1].pid);
    assert!(command("vm2").is_ok() && command("other").is_ok());
}
