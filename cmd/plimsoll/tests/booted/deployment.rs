use crate::bed::{Bed, Place};
use plimsoll_lab::arm::{ArmRequest, Method, ServeOptions, Served, Settings, Store, serve};
use plimsoll_lab::fabric::{Fabric, Health, World, program, render};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// One load-balancing rule with floating IP.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub name: &'static str,
    /// `green` and `purple` are IPv4, `six` is IPv6.
    pub frontend: &'static str,
    pub protocol: &'static str,
    pub frontend_port: u16,
    pub backend_port: u16,
}

pub const FRONTENDS: [(&str, &str); 3] = [
    ("green", "65.52.0.1"),
    ("purple", "65.52.0.2"),
    ("six", "fd00:f1::1"),
];
pub const PROBE_PORT: u16 = 9000;

impl Rule {
    fn address(&self) -> IpAddr {
        let found = FRONTENDS.iter().find(|(name, _)| *name == self.frontend);
        found.unwrap().1.parse().unwrap()
    }

    fn word(&self) -> &'static str {
        if self.protocol == "Tcp" { "tcp" } else { "udp" }
    }

    /// Where clients connect to.
    pub fn outside(&self) -> Place {
        Place {
            protocol: self.word(),
            address: self.address(),
            port: self.frontend_port,
        }
    }

    /// Where the application listens.
    pub fn within(&self) -> Place {
        Place {
            port: self.backend_port,
            ..self.outside()
        }
    }
}

/// A guest of the configuration. Its machine may have more NICs than the one that is in the pools.
#[derive(Clone, Debug)]
pub struct Guest {
    pub name: &'static str,
    /// Which of its NICs is in the pools.
    pub nic: u8,
}

/// The emulated Resource Manager with one load balancer, and a folder with a configuration for the binary.
pub struct Deployment {
    runtime: tokio::runtime::Runtime,
    store: Store,
    served: Served,
    folder: tempfile::TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Both streams: what a person sees.
    pub fn seen(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Deployment {
    pub fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("arm");
        std::fs::create_dir(&place).unwrap();
        let store = Store::open(&place).unwrap();
        let quick = Settings {
            updating_for: Duration::from_millis(50),
            ..store.settings()
        };
        store.change_settings(quick).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = ServeOptions::alone(listener, place, None);
        let served = runtime.block_on(serve(store.clone(), options)).unwrap();
        let deployment = Self {
            runtime,
            store,
            served,
            folder,
        };
        let subscription = deployment.subscription();
        let groups = deployment
            .store
            .ensure_resource_group(&subscription, "rg-web", "westeurope");
        groups.unwrap();
        for (name, address) in FRONTENDS {
            let id = deployment.id("publicIPAddresses", name);
            let address = address.parse().unwrap();
            deployment.store.prefer_address(&id, address).unwrap();
        }
        keygen(&deployment.path().join("key"));
        deployment
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn public_key(&self) -> String {
        std::fs::read_to_string(self.path().join("key.pub")).unwrap()
    }

    fn subscription(&self) -> String {
        self.store.identity().subscription_id
    }

    pub fn id(&self, kind: &str, name: &str) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/rg-web/providers/Microsoft.Network/{kind}/{name}",
            self.subscription()
        )
    }

    pub fn nic_id(&self, guest: &Guest) -> String {
        self.id(
            "networkInterfaces",
            &format!("{}-nic{}", guest.name, guest.nic),
        )
    }

    /// Azure's side of a machine, and how ssh finds it.
    pub fn knows(&self, bed: &Bed, guests: &[Guest]) {
        let (mut config, mut known) = (String::new(), String::new());
        for guest in guests {
            let own = bed.own(guest.name, guest.nic);
            for (configuration, address) in ["ipconfig1", "ipconfig2"].into_iter().zip(own) {
                let id = self.nic_id(guest);
                let made =
                    self.store
                        .ensure_network_interface(&id, configuration, address, "westeurope");
                made.unwrap();
            }
            let [login, _] = bed.own(guest.name, 0);
            write!(
                config,
                "Host {name}\n  HostName {login}\n  HostKeyAlias {name}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
                 UserKnownHostsFile {known}\n  ProxyCommand {enter} busybox nc %h %p\n",
                name = guest.name,
                key = self.path().join("key").display(),
                known = self.path().join("known_hosts").display(),
                enter = bed.network_entrance(),
            )
            .unwrap();
            writeln!(known, "{} {}", guest.name, bed.host_key(guest.name)).unwrap();
        }
        std::fs::write(self.path().join("ssh_config"), config).unwrap();
        std::fs::write(self.path().join("known_hosts"), known).unwrap();
    }

    pub fn configure(&self, deployment: &str, guests: &[Guest], rules: &[Rule]) {
        let text = self.configuration(deployment, guests, rules);
        self.write(&text);
    }

    pub fn write(&self, text: &str) {
        std::fs::write(self.path().join("web.plim.hcl"), text).unwrap();
    }

    pub fn configuration(&self, deployment: &str, guests: &[Guest], rules: &[Rule]) -> String {
        let mut text = format!(
            "plimsoll {{\n  deployment = \"{deployment}\"\n\n  backend \"local\" {{\n    path = \"{deployment}.plimsoll.json\"\n  }}\n}}\n\n\
             provider \"azure\" {{\n  subscription_id = \"{}\"\n}}\n\n\
             accept \"PL0175\" {{\n  reason = \"Nothing in these machines connects out.\"\n}}\n",
            self.subscription()
        );
        let used = |frontend: &&(&str, &str)| rules.iter().any(|rule| rule.frontend == frontend.0);
        let frontends: Vec<&(&str, &str)> = FRONTENDS.iter().filter(used).collect();
        for (name, address) in &frontends {
            let version = if address.contains(':') {
                "  version        = \"IPv6\"\n"
            } else {
                ""
            };
            write!(
                text,
                "\npublic_ip \"{name}\" {{\n  resource_group = \"rg-web\"\n  location       = \"westeurope\"\n{version}}}\n"
            )
            .unwrap();
        }
        text += "\nload_balancer \"web\" {\n  resource_group = \"rg-web\"\n  location       = \"westeurope\"\n";
        for (name, _) in &frontends {
            write!(
                text,
                "\n  frontend \"{name}\" {{\n    public_ip = public_ip.{name}\n  }}\n"
            )
            .unwrap();
        }
        write!(
            text,
            "\n  backend_pool \"v4\" {{}}\n\n  backend_pool \"v6\" {{}}\n\n  probe \"health\" {{\n    protocol = \"Tcp\"\n    port     = {PROBE_PORT}\n  }}\n"
        )
        .unwrap();
        for rule in rules {
            let pool = if rule.address().is_ipv4() { "v4" } else { "v6" };
            write!(
                text,
                "\n  rule \"{}\" {{\n    frontend      = frontend.{}\n    backend_pools = [backend_pool.{pool}]\n    probe         = probe.health\n    \
                 protocol      = \"{}\"\n    frontend_port = {}\n    backend_port  = {}\n    floating_ip   = true\n  }}\n",
                rule.name, rule.frontend, rule.protocol, rule.frontend_port, rule.backend_port
            )
            .unwrap();
        }
        text += "}\n";
        for guest in guests {
            write!(text, "\nguest \"{}\" {{\n  os = \"linux\"\n", guest.name).unwrap();
            for (pool, configuration) in [("v4", "ipconfig1"), ("v6", "ipconfig2")] {
                write!(
                    text,
                    "\n  network_interface \"{pool}\" {{\n    id               = \"{}\"\n    ip_configuration = \"{configuration}\"\n    \
                     backend_pools    = [load_balancer.web.backend_pool.{pool}]\n  }}\n",
                    self.nic_id(guest)
                )
                .unwrap();
            }
            write!(
                text,
                "\n  connection \"ssh\" {{\n    host        = \"{}\"\n    user        = \"azureuser\"\n    config_file = \"{}\"\n  }}\n}}\n",
                guest.name,
                self.path().join("ssh_config").display()
            )
            .unwrap();
        }
        text
    }

    /// A deployment of somebody else, who reads this load balancer and has this guest, too: its folder.
    pub fn sharing(&self, deployment: &str, guest: &Guest) -> PathBuf {
        let folder = self.path().join(deployment);
        std::fs::create_dir(&folder).unwrap();
        let own = self.configuration(deployment, std::slice::from_ref(guest), &[]);
        let (head, rest) = own.split_once("\nload_balancer \"web\"").unwrap();
        let (_, guests) = rest.split_once("\nguest ").unwrap();
        let guests = guests.replace("load_balancer.web", "data.load_balancer.web");
        let text = format!(
            "{head}\ndata \"load_balancer\" \"web\" {{\n  resource_group = \"rg-web\"\n}}\n\nguest {guests}"
        );
        std::fs::write(folder.join("other.plim.hcl"), text).unwrap();
        folder
    }

    /// Runs `plimsoll -C FOLDER …` against the emulated Resource Manager.
    pub fn plimsoll(&self, arguments: &[&str]) -> Answer {
        self.plimsoll_in(self.path(), arguments)
    }

    pub fn plimsoll_in(&self, folder: &Path, arguments: &[&str]) -> Answer {
        let identity = self.store.identity();
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .arg("-C")
            .arg(folder)
            .args(arguments)
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .env("ARM_ENVIRONMENT", &self.served.endpoint)
            .env("PLIMSOLL_CA_FILE", &self.served.certificate_authority)
            .env("ARM_TENANT_ID", identity.tenant_id)
            .env("ARM_CLIENT_ID", identity.client_id)
            .env("ARM_CLIENT_SECRET", "any")
            .output()
            .unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn apply(&self) -> Answer {
        self.plimsoll(&["apply", "--auto-approve"]).exits(0)
    }

    /// What someone else writes to Azure: the resource as it is (or a new one), changed.
    pub fn by_hand(&self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let id = self.id(kind, name);
        let document = self.store.document(&id);
        let mut body = document.unwrap_or_else(|| json!({ "location": "westeurope" }));
        change(&mut body);
        let url = format!("{id}?api-version=2024-01-01");
        let answer = self
            .store
            .answer(&ArmRequest::new(Method::Put, &url, Some(&body)));
        assert!(answer.status < 300, "{}", answer.text());
        self.store.settle().unwrap();
    }

    /// Someone deletes it in Azure.
    pub fn delete(&self, id: &str) {
        let url = format!("{id}?api-version=2024-01-01");
        let request = ArmRequest::new(Method::Delete, &url, None);
        let answer = self.store.answer(&request);
        assert!(answer.status < 300, "{}", answer.text());
        self.store.settle().unwrap();
    }

    /// What was sent to Azure since the last time, reads left out.
    pub fn writes(&self) -> Vec<String> {
        let log = self.store.requests();
        self.store.clear_requests();
        log.iter()
            .filter(|entry| entry.method != "GET" && entry.path.contains("/providers/"))
            .map(|entry| format!("{} {}", entry.method, entry.path))
            .collect()
    }

    /// Lets the fabric deliver as the load balancer says, with the members' health as the platform sees it now.
    pub fn deliver(&self, bed: &Bed, guests: &[Guest]) {
        let numbers: BTreeMap<String, u16> = guests
            .iter()
            .map(|guest| self.nic_id(guest).to_ascii_lowercase())
            .zip(1..)
            .collect();
        let documents = [
            "loadBalancers",
            "networkInterfaces",
            "publicIPAddresses",
            "virtualNetworks",
            "networkSecurityGroups",
        ]
        .map(|kind| self.store.documents(&format!("Microsoft.Network/{kind}")));
        let [
            load_balancers,
            network_interfaces,
            public_ips,
            virtual_networks,
            security_groups,
        ] = &documents;
        let fabric = |health: &Health| -> Fabric {
            program(&World {
                load_balancers,
                network_interfaces,
                public_ips,
                virtual_networks,
                security_groups,
                numbers: &numbers,
                health,
                routes: &[],
            })
        };
        let targets = fabric(&Health::default()).targets;
        let places: Vec<Place> = targets
            .iter()
            .map(|target| Place {
                protocol: "tcp",
                address: target.address,
                port: target.port,
            })
            .collect();
        // A refusal comes in several forms, an answer in one.
        let up =
            |(place, answer): (&Place, &String)| answer.starts_with(&place.address.to_string());
        let answers = bed.probe(&places);
        let health = targets
            .iter()
            .map(plimsoll_lab::fabric::ProbeTarget::key)
            .zip(places.iter().zip(&answers).map(up));
        let rules = render(&fabric(&Health(health.collect())));
        let mut script = format!("nft -f - <<'END'\n{rules}END\n");
        for (guest, mark) in guests.iter().zip(1..) {
            let table = 1000 + mark;
            for (flag, address) in ["-4", "-6"].into_iter().zip(bed.own(guest.name, guest.nic)) {
                writeln!(
                    script,
                    "ip {flag} rule del pref {table} 2>/dev/null; ip {flag} rule add pref {table} fwmark {mark} lookup {table}\n\
                     ip {flag} route replace default via {address} dev br0 onlink table {table}"
                )
                .unwrap();
            }
        }
        bed.fabric(&script);
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.served.stop();
    }
}

fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status();
    assert!(status.is_ok_and(|s| s.success()), "ssh-keygen makes a key");
}
