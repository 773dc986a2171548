//! What Windows was seen to print, in three languages, made into machines: names follow the language, and nothing else does.

use crate::machine::{Machine, STORES};
use crate::pipeline::Scene;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{InterfaceRole, Packet, Verdict};
use plimsoll_core::plan::Mode;
use std::path::Path;

fn shared(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/guest/windows");
    let text = std::fs::read_to_string(folder.join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: ../shared is absent");
    }
    text
}

/// The values of `key : value` lines, whatever language the keys are in.
fn values(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(_, value)| value.trim()).collect()
}

/// The second value that `netsh … show interface level=verbose` tells is the index; those of weak host are the 19th and 20th.
fn nic(machine: &mut Machine, netsh: &str, name: &str) {
    let values = values(netsh);
    let index: u32 = values[1].parse().unwrap();
    let (send, receive) = (values[18], values[19]);
    assert!(["enabled", "disabled"].contains(&send) && ["enabled", "disabled"].contains(&receive));
    let interface = machine.interface(6);
    (interface.index, interface.name) = (index, name.to_owned());
    for (direction, value) in [("Send", send), ("Receive", receive)] {
        interface
            .weak
            .insert(("IPv4", direction), [value == "enabled"; 2]);
    }
    for address in machine.addresses.iter_mut().filter(|a| a.index == 6) {
        address.index = index;
    }
}

async fn there_and_back(machine: Machine) {
    let scene = Scene::of(machine.clone());
    scene.apply().await;
    let again = scene.plan(Mode::Apply).await;
    assert!(
        again.steps.is_empty() && again.drift.is_empty(),
        "{:#?}",
        again.changes
    );
    let undo = scene.plan(Mode::Destroy).await;
    scene.run(&undo).await.unwrap();
    let after = scene.machine();
    assert_eq!(after.interfaces, machine.interfaces);
    assert_eq!(after.addresses, machine.addresses);
    assert_eq!(after.rules, machine.rules);
}

fn of(loopback: &str) -> Machine {
    Machine::new(&["10.0.0.4/24", "fd10::4/64"], loopback, "Ethernet")
}

#[tokio::test]
async fn an_english_machine() {
    let Some(netsh) = shared("netsh-ipv4-show-interface-verbose.en.txt") else {
        return;
    };
    let mut machine = of("Loopback Pseudo-Interface 1");
    nic(&mut machine, &netsh, "vEthernet (WSL)");
    assert_eq!(machine.interfaces[1].index, 39);
    there_and_back(machine).await;
}

#[tokio::test]
async fn a_chinese_machine() {
    let Some(netsh) = shared("netsh-ipv4-show-interface-verbose.zh-CN.txt") else {
        return;
    };
    let name = netsh
        .lines()
        .find_map(|l| l.strip_prefix("接口 ")?.strip_suffix(" 参数"));
    let mut machine = of("环回伪接口 1");
    nic(&mut machine, &netsh, name.unwrap());
    let facts = machine.read();
    assert_eq!(facts.loopback_name(), "环回伪接口 1");
    assert!(
        facts
            .interfaces
            .iter()
            .any(|i| i.name == "WLAN" && i.index == 5)
    );
    there_and_back(machine).await;
}

#[tokio::test]
async fn a_german_machine() {
    let Some(rule) = shared("netsh-advfirewall-show-rule.de-DE.fixture.txt") else {
        return;
    };
    // Regelname, Aktiviert, Richtung, Profile, Protokoll, Lokaler Port, Aktion.
    let [name, "Ja", "Eingehend", _, "TCP", port, "Zulassen"] = values(&rule)[..] else {
        panic!("{rule}");
    };
    let mut machine = of("Loopback-Pseudoschnittstelle 1");
    let text =
        format!("v2.32|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort={port}|Name={name}|");
    machine.rules.insert("{5500}".to_owned(), ("local", text));
    let facts = machine.read();
    assert_eq!(
        judged(&machine, "65.52.0.1", 5500, None),
        "Windows firewall allow rule \"BNM Lab analyzer port 5500\""
    );
    assert_eq!(facts.loopback_name(), "Loopback-Pseudoschnittstelle 1");
    there_and_back(machine).await;
}

/// The machine of the Microsoft page about DHCP, which has a KM-TEST adapter.
#[tokio::test]
async fn a_machine_with_a_loopback_adapter() {
    let Some(list) = shared("netsh-ipv4-show-interface.azure-dhcp-doc.txt") else {
        return;
    };
    let indexes: Vec<u32> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(indexes, [1, 6, 11]);
    let mut machine = of("Loopback Pseudo-Interface 1");
    let mut adapter = machine.interfaces[1].clone();
    (adapter.index, adapter.name, adapter.component) = (11, "Ethernet 3".to_owned(), "*msloop");
    machine.interfaces.push(adapter);
    // It has given itself an address, so nobody has chosen it for anything.
    machine.hold(STORES[0], 11, "169.254.7.7/16".parse().unwrap(), false);
    let facts = machine.read();
    assert_eq!(facts.interfaces[2].role, InterfaceRole::LoopbackAdapter);
    assert_eq!(facts.loopback_name(), "Loopback Pseudo-Interface 1");
    there_and_back(machine).await;
}

#[test]
fn the_loopback_interface_is_known_by_its_address() {
    let Some(list) = shared("get-netipaddress.list.txt") else {
        return;
    };
    let of = |key: &str| {
        let mut lines = list.lines().filter_map(|line| line.split_once(" : "));
        lines.find(|(k, _)| k.trim() == key).unwrap().1.trim()
    };
    let mut machine = Machine::new(&["10.0.0.4/24"], of("InterfaceAlias"), "Ethernet");
    machine.addresses.retain(|a| a.index != 1);
    let address = format!("{}/{}", of("IPAddress"), of("PrefixLength"));
    let index = of("InterfaceIndex").parse().unwrap();
    machine.hold(STORES[0], index, address.parse().unwrap(), false);
    assert_eq!(
        machine.read().loopback_name(),
        "Loopback Pseudo-Interface 1"
    );
}

/// Who decides, in the words that people are shown.
fn judged(machine: &Machine, destination: &str, port: u16, source: Option<&str>) -> String {
    let packet = Packet {
        protocol: Protocol::Tcp,
        source: source.map(|s| s.parse().unwrap()),
        destination: destination.parse().unwrap(),
        port: Some(port),
    };
    let verdict = machine.read().firewall.judge(&packet);
    match &verdict {
        Verdict::Admitted { .. } => verdict.rule().to_owned(),
        Verdict::Refused { .. } => format!("refused: {}", verdict.rule()),
        Verdict::Unclear { .. } => format!("unclear: {}", verdict.rule()),
    }
}

#[test]
fn rules_as_the_registry_holds_them() {
    let Some(text) = shared("firewallrules-registry.txt") else {
        return;
    };
    let mut machine = of("Loopback Pseudo-Interface 1");
    for (id, rule) in text.lines().filter_map(|line| line.split_once('\t')) {
        machine
            .rules
            .insert(id.to_owned(), ("local", rule.to_owned()));
    }
    assert_eq!(machine.rules.len(), 4);
    let policy = "refused: Windows firewall policy of profile Public";
    // One source, one destination.
    let usb = "Windows firewall allow rule \"USBLink application session\"";
    assert_eq!(judged(&machine, "10.0.0.1", 3241, Some("10.0.0.9")), usb);
    assert_eq!(judged(&machine, "10.0.0.1", 3241, Some("10.0.1.9")), policy);
    assert_eq!(judged(&machine, "10.0.0.1", 3241, None), policy);
    assert_eq!(judged(&machine, "10.0.0.4", 3241, Some("10.0.0.9")), policy);
    // Rules for a service admit nobody for us, and a block for one that listens cannot be judged.
    assert_eq!(judged(&machine, "10.0.0.4", 3389, None), policy);
    let (_, rdp) = machine.rules["RemoteDesktop-UserMode-In-TCP"].clone();
    let block = rdp.replace("Action=Allow", "Action=Block");
    machine.rules.insert("block".to_owned(), ("local", block));
    assert_eq!(
        judged(&machine, "10.0.0.4", 3389, None),
        "unclear: Windows firewall block rule \"block\""
    );
    assert_eq!(judged(&machine, "10.0.0.4", 3390, None), policy);
}
