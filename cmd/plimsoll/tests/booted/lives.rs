use crate::bed::{Bed, Place, place};
use crate::deployment::{Answer, Deployment, Guest, PROBE_PORT, Rule};
use crate::firewalls::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

const VM1: Guest = Guest {
    name: "vm1",
    nic: 0,
};
const VM2: Guest = Guest {
    name: "vm2",
    nic: 0,
};
const BOTH: [Guest; 2] = [VM1, VM2];

const fn web(name: &'static str, frontend: &'static str) -> Rule {
    Rule {
        name,
        frontend,
        protocol: "Tcp",
        frontend_port: 80,
        backend_port: 80,
    }
}

const RULES: [Rule; 2] = [web("four", "green"), web("six", "six")];

/// Two machines that boot, with an application on both frontends and on the probe's port.
struct Pair {
    bed: Bed,
    deployment: Deployment,
    /// Everything in each machine before plimsoll came.
    before: [String; 2],
}

impl Pair {
    fn new() -> Option<Self> {
        let mut bed = Bed::new()?;
        let deployment = Deployment::new();
        let kind = Kind::Nftables;
        for guest in &BOTH {
            bed.make(guest.name, 1, kind.login_shell(), &deployment.public_key());
            bed.boot(guest.name);
            kind.set_up(&bed, guest.name);
            bed.listen(guest.name, &listening(&bed, guest));
        }
        deployment.knows(&bed, &BOTH);
        deployment.configure("web", &BOTH, &RULES);
        let before = BOTH.map(|guest| bed.everything(guest.name));
        Some(Self {
            bed,
            deployment,
            before,
        })
    }

    #[track_caller]
    fn answered(&self) {
        self.bed.until("both frontends are answered", |bed| {
            self.deployment.deliver(bed, &BOTH);
            bed.ask(&RULES.map(|rule| rule.outside())) == ["65.52.0.1 80", "fd00:f1::1 80"]
        });
    }

    #[track_caller]
    fn is_as_before(&self, index: usize) {
        let now = self.bed.everything(BOTH[index].name);
        crate::matrix::same(&now, &self.before[index], BOTH[index].name);
    }

    fn record(&self, guest: &Guest) -> String {
        let file = "cat /var/lib/plimsoll/record.json";
        self.bed.inside(guest.name, file)
    }
}

fn listening(bed: &Bed, guest: &Guest) -> Vec<Place> {
    let own = bed.own(guest.name, guest.nic);
    let probes = own.map(|address| Place {
        protocol: "tcp",
        address,
        port: PROBE_PORT,
    });
    let web = RULES.map(|rule| rule.within());
    web.into_iter().chain(probes).collect()
}

/// What each run sends, kept in the guest as it arrives.
const RECORDER: &str = r#"mkdir -m 777 /run/sent
cat >/usr/local/bin/sudo <<'END'
#!/bin/sh
script=/run/sent/$(date +%s%N)
cat >"$script"
exec /usr/bin/sudo "$@" <"$script"
END
chmod 755 /usr/local/bin/sudo
"#;

#[test]
fn guests_are_shared_and_go_and_old_scripts_come_too_late() {
    let Some(mut pair) = Pair::new() else { return };
    let Pair {
        bed, deployment, ..
    } = &pair;
    bed.inside("vm1", RECORDER);
    deployment.apply();
    let first = "grep -l '^begin$' /run/sent/* | head -n 1 | xargs cat";
    let late = bed.inside("vm1", first);
    assert!(late.contains("65.52.0.1"), "{late}");
    bed.inside("vm1", "rm -r /usr/local/bin/sudo /run/sent");
    pair.answered();

    // A rule's name is nothing to a guest: nothing is sent.
    let told = BOTH.map(|guest| pair.record(&guest));
    let renamed = [web("quattro", "green"), RULES[1]];
    deployment.configure("web", &BOTH, &renamed);
    let plan = deployment.plimsoll(&["plan"]).exits(0).seen();
    assert!(!plan.contains("guest.vm"), "{plan}");
    deployment.apply();
    assert_eq!(BOTH.map(|guest| pair.record(&guest)), told);
    pair.answered();

    // Another deployment, whose load balancer is this one, has claims of its own on what is there.
    let other = deployment.sharing("other", &VM1);
    let beside = |words: &[&str]| deployment.plimsoll_in(&other, words);
    let held = bed.everything("vm1");
    beside(&["apply", "--auto-approve"]).exits(0);
    crate::matrix::same(&bed.everything("vm1"), &held, "nothing but a claim");
    assert!(pair.record(&VM1).contains("\"other\""));
    beside(&["destroy", "--auto-approve"]).exits(0);
    crate::matrix::same(&bed.everything("vm1"), &held, "the first still claims it");
    pair.answered();

    // An old script arrives late, when newer runs have been.
    deployment.configure("web", &BOTH, &RULES[..1]);
    deployment.apply();
    let held = (bed.everything("vm1"), pair.record(&VM1));
    let arrives = format!("sh -s <<'LATE' || test $? = 74\n{late}LATE\n");
    let said = bed.inside("vm1", &arrives);
    assert!(said.contains("plimsoll-refused 74 "), "{said}");
    assert_eq!((bed.everything("vm1"), pair.record(&VM1)), held);
    deployment.configure("web", &BOTH, &RULES);
    deployment.apply();
    pair.answered();

    // A guest that leaves the configuration leaves the pool first, and then is as before.
    deployment.configure("web", &BOTH[1..], &RULES);
    let plan = deployment.plimsoll(&["plan"]).exits(0).seen();
    assert!(plan.contains("guest.vm1"), "{plan}");
    deployment.apply();
    pair.is_as_before(0);
    pair.answered();

    // Nobody can be undone who does not answer: it is pending, and done when it is back.
    pair.bed.power_off("vm2");
    let destroy = &["destroy", "--auto-approve"];
    let seen = pair.deployment.plimsoll(destroy).exits(6).seen();
    assert!(seen.contains("guest.vm2"), "{seen}");
    pair.bed.boot("vm2");
    let kept = pair.bed.inside("vm2", "ip -o addr show dev lo");
    assert!(kept.contains("65.52.0.1/32"), "{kept}");
    pair.deployment.plimsoll(destroy).exits(0);
    pair.is_as_before(1);
    let lists = |pair: &Pair| {
        let state = pair.deployment.plimsoll(&["state", "list"]);
        state.exits(0).stdout
    };
    assert!(!lists(&pair).contains("guest."), "{}", lists(&pair));

    // One that is switched off for good is pending until Azure has no interface of it any more.
    pair.deployment.apply();
    pair.bed.power_off("vm2");
    for _ in 0..2 {
        pair.deployment.plimsoll(destroy).exits(6);
        assert!(lists(&pair).contains("guest.vm2"), "{}", lists(&pair));
    }
    let nic = pair.deployment.nic_id(&VM2);
    pair.deployment.delete(&nic);
    pair.deployment.plimsoll(destroy).exits(0);
    assert!(!lists(&pair).contains("guest."), "{}", lists(&pair));
}

#[test]
fn facts_are_what_the_machine_says_and_findings_follow() {
    let Some(pair) = Pair::new() else { return };
    let Pair {
        bed, deployment, ..
    } = &pair;
    bed.inside(
        "vm1",
        "sysctl -qw net.ipv4.tcp_timestamps=0 net.ipv4.ip_local_reserved_ports=8080,59990-60000",
    );
    sudo_is_asked_without_a_terminal(&pair);
    deployment.apply();
    let snapshot = deployment.plimsoll(&["snapshot"]).exits(0).stdout;
    let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
    let facts = of_host(&snapshot, "vm1").unwrap();

    let settings = facts["settings"].as_object().unwrap();
    for name in [
        "net.ipv4.conf.eth0.rp_filter",
        "net.ipv4.conf.all.arp_ignore",
        "net.ipv4.tcp_timestamps",
        "net.ipv4.ip_forward",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv6.conf.lo.disable_ipv6",
    ] {
        let told = bed.inside("vm1", &format!("sysctl -n {name}"));
        let told: Vec<&str> = told.split_whitespace().collect();
        assert_eq!(settings[name], told.join(" "), "{name}");
    }
    let listeners: BTreeSet<String> = all(facts, "listeners", |l| {
        format!(
            "{} {} {} {}",
            word(&l["protocol"]).to_lowercase(),
            word(&l["address"]),
            l["port"],
            word(&l["process"])
        )
    });
    let mut meant: BTreeSet<String> = listening(bed, &VM1)
        .iter()
        .map(|place| format!("{place} python3"))
        .collect();
    meant.extend(["tcp 0.0.0.0 22 sshd", "tcp :: 22 sshd"].map(str::to_owned));
    assert_eq!(listeners, meant);
    let told = bed.inside("vm1", "ip -o addr | awk '{ print $2, $4 }'");
    let held = all(facts, "addresses", |a| {
        format!("{} {}", word(&a["interface"]), word(&a["address"]))
    });
    assert_eq!(held, told.lines().map(str::to_owned).collect());
    // What a reboot brings back, whoever keeps it.
    let survives = all(facts, "survives", |key| word(key).to_owned());
    for key in [
        "address 65.52.0.1",
        "address fd00:f1::1",
        "firewall tcp port 80 to 65.52.0.1",
    ] {
        assert!(survives.contains(key), "{survives:?}");
    }
    let persisted = all(&facts["network"], "persisted", |kept| {
        format!(
            "{} {} {}",
            word(&kept["address"]),
            word(&kept["owner"]),
            word(&kept["file"])
        )
    });
    for kept in [
        "9.9.9.9 netplan /etc/netplan/60-admin.yaml",
        "fd99::9 netplan /etc/netplan/60-admin.yaml",
        "10.0.0.11 netplan /etc/netplan/50-cloud-init.yaml",
    ] {
        assert!(persisted.contains(kept), "{persisted:?}");
    }

    // The Microsoft page's command, and an application that is bound to the frontend's address alone.
    bed.inside("vm2", "ip addr add 65.52.0.1/24 dev lo:0");
    let bound = RULES.map(|rule| rule.within());
    let elsewhere = place("tcp", "65.52.0.1", PROBE_PORT);
    bed.listen("vm2", &[&bound[..], &[elsewhere]].concat());
    let plan = deployment.plimsoll(&["plan"]).exits(0).seen();
    for found in [
        "PL0303",
        "65.52.0.1/24 on lo has the wrong netmask",
        "PL0302",
        "10.0.0.12:9000",
    ] {
        assert!(plan.contains(found), "{found}\n{plan}");
    }
    let trace = deployment.plimsoll(&["trace", "65.52.0.1:80"]).exits(2);
    assert!(trace.seen().contains("nothing answers on 10.0.0.12:9000"));
    let probes = listening(bed, &VM2);
    assert_eq!(bed.probe(&probes[2..3]), ["refused"]);
    bed.inside("vm2", "ip addr del 65.52.0.1/24 dev lo");
    bed.listen("vm2", &probes);

    becomes_a_cluster(&pair);
}

/// Nobody is there to type a password, and no terminal: sudo's refusal is told with what mends it, and nothing hangs.
fn sudo_is_asked_without_a_terminal(pair: &Pair) {
    let refused = |setting: &str, said: &str, mends: &str| {
        let file = "/etc/sudoers.d/99-strict";
        let write = format!("echo '{setting}' >{file}; chmod 440 {file}; visudo -cqf {file}");
        pair.bed.inside("vm1", &write);
        let seen = pair.deployment.plimsoll(&["plan"]).seen();
        assert!(seen.contains(said) && seen.contains(mends), "{seen}");
        pair.bed.inside("vm1", &format!("rm {file}"));
    };
    refused(
        "Defaults:azureuser requiretty",
        "sudo on vm1 wants a terminal",
        "Defaults:azureuser !requiretty",
    );
    refused(
        "azureuser ALL=(ALL) PASSWD: ALL",
        "azureuser may not become root on vm1 without a password",
        "azureuser ALL=(ALL) NOPASSWD: ALL",
    );
}

/// plimsoll gives the address up, out loud, and the cluster moves it from then on.
fn becomes_a_cluster(pair: &Pair) {
    let Pair {
        bed, deployment, ..
    } = pair;
    let ours = deployment.configuration("web", &BOTH, &RULES);
    let frontend = "    public_ip = public_ip.green\n";
    let clustered = ours.replace(
        frontend,
        &format!("{frontend}    guest_mode = \"cluster\"\n"),
    );
    assert_ne!(ours, clustered);
    deployment.write(&clustered);
    let plan = deployment.plimsoll(&["plan"]).exits(0).seen();
    assert!(plan.contains("- address  65.52.0.1"), "{plan}");
    let announced = "traffic to 65.52.0.1:80/tcp changes after step 1: members lose the address; it serves where the cluster holds it";
    assert!(plan.contains(announced), "{plan}");
    deployment.apply();
    let holds = |guest: &Guest| {
        let all = bed.inside(guest.name, "ip -o addr");
        all.contains(" 65.52.0.1/")
    };
    assert!(!BOTH.iter().any(holds));
    let drift = || deployment.plimsoll(&["drift"]);
    let seen: Answer = drift().exits(2);
    assert!(seen.stdout.contains("no member holds"), "{}", seen.stdout);

    let active = |guest: &Guest, other: &Guest| {
        bed.inside(guest.name, "ip addr add 65.52.0.1/24 dev eth0");
        let places = listening(bed, guest);
        bed.listen(guest.name, &places);
        // The passive member is silent to Azure's probe.
        bed.listen(other.name, &places[1..2]);
    };
    active(&VM1, &VM2);
    drift().exits(0);
    let trace = |code| {
        deployment
            .plimsoll(&["trace", "65.52.0.1:80"])
            .exits(code)
            .stdout
    };
    assert!(trace(0).contains("passive member of the cluster"));
    bed.inside("vm1", "ip addr del 65.52.0.1/24 dev eth0");
    active(&VM2, &VM1);
    drift().exits(0);
    trace(0);
    deployment.writes();
    deployment.apply();
    assert_eq!(deployment.writes(), [""; 0]);
    assert!(holds(&VM2) && !holds(&VM1));
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

fn all(facts: &Value, name: &str, say: impl Fn(&Value) -> String) -> BTreeSet<String> {
    facts[name].as_array().unwrap().iter().map(say).collect()
}

/// The facts of a guest, wherever the snapshot has them.
fn of_host<'a>(value: &'a Value, host: &str) -> Option<&'a Value> {
    match value {
        Value::Object(all) if all.get("hostname").is_some_and(|name| name == host) => Some(value),
        Value::Object(all) => all.values().find_map(|inner| of_host(inner, host)),
        Value::Array(all) => all.iter().find_map(|inner| of_host(inner, host)),
        _ => None,
    }
}
