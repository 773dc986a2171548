//! The whole way, over TLS: signing in, creating, joining, changing, deleting, against the lab's Resource Manager,
//! which knows nothing of our types.

use plimsoll_azure::{Client, ClientSecret, Endpoint, Quiet, Reader, Writer};
use plimsoll_core::apply::{EnactAzure as _, ObserveAzure as _, WorldError};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::{ArmId, Attr, Fingerprint, Item, ItemKind, LoadBalancer, PublicIp};
use plimsoll_core::plan::MembershipEdit;
use plimsoll_lab::arm::{RequestClass, ServeOptions, Served, Settings, Store, serve};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

struct Lab {
    store: Store,
    served: Served,
    client: Client,
    subscription: String,
    _folder: tempfile::TempDir,
}

impl Lab {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let quick = Settings {
            updating_for: Duration::from_millis(50),
            ..store.settings()
        };
        store.change_settings(quick).unwrap();
        let options = ServeOptions {
            listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
            directory: folder.path().to_owned(),
            extra: axum::Router::new(),
            scripts: None,
        };
        let served = serve(store.clone(), options).await.unwrap();
        let identity = store.identity();
        let ca = std::fs::read_to_string(&served.certificate_authority).unwrap();
        let endpoint = Endpoint::custom(&served.endpoint, Some(ca)).unwrap();
        let credential = ClientSecret {
            tenant_id: identity.tenant_id,
            client_id: identity.client_id,
            client_secret: "any".into(),
        }
        .sign_in(&endpoint)
        .unwrap();
        Self {
            client: Client::new(endpoint, credential).unwrap(),
            store,
            served,
            subscription: identity.subscription_id,
            _folder: folder,
        }
    }

    fn id(&self, kind: &str, name: &str) -> ArmId {
        ArmId::network(&self.subscription, "rg-web", kind, name)
    }

    fn public_ip(&self) -> PublicIp {
        PublicIp {
            id: self.id("publicIPAddresses", "green"),
            attributes: [
                ("location".to_owned(), text("westeurope")),
                ("sku".to_owned(), text("Standard")),
            ]
            .into(),
            address: None,
            failed: false,
            rest: serde_json::Map::new(),
        }
    }

    fn load_balancer(&self, rules: usize) -> LoadBalancer {
        let mut lb = LoadBalancer::new(self.id("loadBalancers", "web"));
        lb.attributes.insert("location".into(), text("westeurope"));
        lb.attributes.insert("sku".into(), text("Standard"));
        lb.attributes.insert("sku_tier".into(), text("Regional"));
        let green = self.public_ip().id;
        lb.set(
            ItemKind::Frontend,
            Item::new("green").with("public_ip", text(green.as_str())),
        );
        lb.set(ItemKind::BackendPool, Item::new("vms"));
        lb.set(
            ItemKind::Probe,
            Item::new("http")
                .with("protocol", text("Http"))
                .with("port", Attr::Int(8080))
                .with("request_path", text("/healthz")),
        );
        let reference = |kind: ItemKind, name: &str| lb.id_of(kind, name).to_string();
        let frontend = reference(ItemKind::Frontend, "green");
        let pool = reference(ItemKind::BackendPool, "vms");
        let probe = reference(ItemKind::Probe, "http");
        for index in 0..rules {
            let port = Attr::Int(80 + i64::try_from(index).unwrap());
            let rule = Item::new(format!("rule{index}"))
                .with("frontend", Attr::Text(frontend.clone()))
                .with("backend_pools", Attr::List(vec![pool.clone()]))
                .with("probe", Attr::Text(probe.clone()))
                .with("protocol", text("Tcp"))
                .with("frontend_port", port.clone())
                .with("backend_port", port)
                .with("floating_ip", Attr::Bool(true));
            lb.set(ItemKind::Rule, rule);
        }
        lb
    }

    fn interface(&self) -> ArmId {
        let id = self.id("networkInterfaces", "vm1-nic");
        self.store
            .ensure_network_interface(
                id.as_str(),
                "ipconfig1",
                IpAddr::from([10, 0, 0, 4]),
                "westeurope",
            )
            .unwrap();
        id
    }

    /// `GET loadBalancers/web`, polls left out.
    fn requests(&self) -> Vec<String> {
        let log = self.store.requests();
        self.store.clear_requests();
        log.iter()
            .filter(|entry| entry.class == RequestClass::Network)
            .map(|entry| {
                let tail: Vec<&str> = entry.path.rsplit('/').take(2).collect();
                format!("{} {}/{}", entry.method, tail[1], tail[0])
            })
            .collect()
    }
}

fn text(value: &str) -> Attr {
    Attr::Text(value.to_owned())
}

/// Everything that a first apply writes, then a change, then the end; each step as a plan would give it.
async fn story(lab: &Lab) -> Result<(), WorldError> {
    let writer = Writer::new(lab.client.clone());
    let absent = Fingerprint::absent();
    let ip = lab.public_ip();
    writer
        .put_public_ip(&ip, &absent, &ip.fingerprint(), &Quiet)
        .await?;
    let one = lab.load_balancer(1);
    let stored = writer
        .put_load_balancer(&one, &absent, &one.fingerprint(), &Quiet)
        .await?;
    let join = MembershipEdit {
        ip_configuration: "ipconfig1".into(),
        pool: one.id_of(ItemKind::BackendPool, "vms"),
        join: true,
    };
    writer
        .put_network_interface(&lab.interface(), &[join], &Quiet)
        .await?;
    // The plan of the change was made from what Azure stores.
    let mut two = stored.clone();
    for rule in lab.load_balancer(2).of_kind(ItemKind::Rule) {
        two.set(ItemKind::Rule, rule.clone());
    }
    writer
        .put_load_balancer(&two, &stored.fingerprint(), &two.fingerprint(), &Quiet)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_first_apply_over_tls_and_its_request_counts() {
    let lab = Lab::new().await;
    let nic = lab.interface();
    lab.requests();
    story(&lab).await.unwrap();
    assert_eq!(
        lab.requests(),
        [
            "GET publicIPAddresses/green",
            "PUT publicIPAddresses/green",
            "GET publicIPAddresses/green",
            "GET loadBalancers/web",
            "PUT loadBalancers/web",
            "GET loadBalancers/web",
            "GET networkInterfaces/vm1-nic",
            "PUT networkInterfaces/vm1-nic",
            "GET networkInterfaces/vm1-nic",
            "GET loadBalancers/web",
            "PUT loadBalancers/web",
            "GET loadBalancers/web",
        ]
    );
    let reader = Reader::new(lab.client.clone(), Arc::new(Quiet));
    let lb_id = lab.id("loadBalancers", "web");
    let Observation::Present(seen) = reader.load_balancer(&lb_id).await else {
        panic!("it was written")
    };
    let member = ArmId::new(format!("{nic}/ipConfigurations/ipconfig1"));
    assert_eq!(seen.members_of("vms"), [member]);
    assert_eq!(seen.of_kind(ItemKind::Rule).count(), 2);
    let Observation::Present(ip) = reader.public_ip(&lab.public_ip().id).await else {
        panic!("it was written")
    };
    assert!(ip.address.is_some());
    let Observation::Present(interface) = reader.network_interface(&nic).await else {
        panic!("it was written")
    };
    assert_eq!(
        interface.ip_configurations["ipconfig1"].backend_pools.len(),
        1
    );

    // And back: leave, delete, delete again.
    let writer = Writer::new(lab.client.clone());
    let leave = MembershipEdit {
        ip_configuration: "ipconfig1".into(),
        pool: seen.id_of(ItemKind::BackendPool, "vms"),
        join: false,
    };
    writer
        .put_network_interface(&nic, &[leave], &Quiet)
        .await
        .unwrap();
    let planned = seen.fingerprint();
    writer
        .delete_load_balancer(&lb_id, &planned, &Quiet)
        .await
        .unwrap();
    writer
        .delete_load_balancer(&lb_id, &planned, &Quiet)
        .await
        .unwrap();
    assert_eq!(reader.load_balancer(&lb_id).await, Observation::Absent);
    lab.served.stop();
}

/// A plan that was interrupted is checked against exactly these fingerprints when it is taken up again.
#[tokio::test]
async fn what_is_created_has_the_fingerprint_that_was_planned() {
    let lab = Lab::new().await;
    let writer = Writer::new(lab.client.clone());
    let absent = Fingerprint::absent();
    let ip = lab.public_ip();
    let stored = writer
        .put_public_ip(&ip, &absent, &ip.fingerprint(), &Quiet)
        .await
        .unwrap();
    assert_eq!(stored.fingerprint(), ip.fingerprint());
    let lb = lab.load_balancer(3);
    let stored = writer
        .put_load_balancer(&lb, &absent, &lb.fingerprint(), &Quiet)
        .await
        .unwrap();
    assert_eq!(stored.fingerprint(), lb.fingerprint());
    lab.served.stop();
}

#[tokio::test]
async fn as_many_rules_as_azure_allows_travel_in_one_put() {
    let lab = Lab::new().await;
    let writer = Writer::new(lab.client.clone());
    let absent = Fingerprint::absent();
    let ip = lab.public_ip();
    writer
        .put_public_ip(&ip, &absent, &ip.fingerprint(), &Quiet)
        .await
        .unwrap();
    lab.requests();
    let lb = lab.load_balancer(1_500);
    writer
        .put_load_balancer(&lb, &absent, &lb.fingerprint(), &Quiet)
        .await
        .unwrap();
    assert_eq!(
        lab.requests(),
        [
            "GET loadBalancers/web",
            "PUT loadBalancers/web",
            "GET loadBalancers/web"
        ]
    );
    lab.served.stop();
}

#[tokio::test]
async fn whatever_goes_wrong_the_same_again_arrives() {
    let faults = [
        "429=1;retry-after=1",
        "409=1",
        "412=1",
        "500=1",
        "503=1",
        "fail-operation;count=1 on=PUT loadBalancers",
        "cancel-operation;count=1 on=PUT loadBalancers",
        "superseded;count=1 on=PUT loadBalancers",
        "superseded=silently;count=1 on=PUT loadBalancers",
        "drop-connection=before;count=1 on=PUT loadBalancers",
        "drop-connection=after;count=1 on=PUT loadBalancers",
        "drop-connection=after;count=1 on=PUT networkInterfaces",
        "drop-connection=after;count=1 on=PUT publicIPAddresses",
        "drop-connection=before;count=1 on=GET loadBalancers",
        "stale-reads=1s",
        "nic-if-match=refused",
        "nic-if-match=ignored",
    ];
    let mut runs = tokio::task::JoinSet::new();
    for fault in faults {
        runs.spawn(story_under(fault));
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

async fn story_under(fault: &str) {
    let lab = Lab::new().await;
    lab.interface();
    lab.store.set_fault(fault).unwrap();
    if let Err(error) = story(&lab).await {
        println!("{fault}: {error}");
        lab.store.set_fault("off").unwrap();
        story_again(&lab)
            .await
            .unwrap_or_else(|error| panic!("{fault}: {error}"));
    }
    let lb = lab
        .store
        .document(lab.id("loadBalancers", "web").as_str())
        .unwrap();
    let properties = &lb["properties"];
    let rules = properties["loadBalancingRules"].as_array().unwrap();
    assert_eq!(rules.len(), 2, "{fault}");
    let members = &properties["backendAddressPools"][0]["properties"]["backendIPConfigurations"];
    assert_eq!(
        members.as_array().map(Vec::len),
        Some(1),
        "{fault}: {members}"
    );
    lab.served.stop();
}

/// A new plan and its apply: from whatever is there to the end of the story.
async fn story_again(lab: &Lab) -> Result<(), WorldError> {
    let reader = Reader::new(lab.client.clone(), Arc::new(Quiet));
    let writer = Writer::new(lab.client.clone());
    let two = lab.load_balancer(2);
    let ip = lab.public_ip();
    let seen = |observed: Option<Fingerprint>| observed.unwrap_or_default();
    let before = reader.public_ip(&ip.id).await;
    let before = seen(before.present().map(PublicIp::fingerprint));
    writer
        .put_public_ip(&ip, &before, &ip.fingerprint(), &Quiet)
        .await?;
    let before = reader.load_balancer(&two.id).await;
    let before = seen(before.present().map(LoadBalancer::fingerprint));
    writer
        .put_load_balancer(&two, &before, &two.fingerprint(), &Quiet)
        .await?;
    let join = MembershipEdit {
        ip_configuration: "ipconfig1".into(),
        pool: two.id_of(ItemKind::BackendPool, "vms"),
        join: true,
    };
    writer
        .put_network_interface(&lab.interface(), &[join], &Quiet)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_said() {
    let lab = Lab::new().await;
    let mut endpoint = lab.client.endpoint().clone();
    let identity = lab.store.identity();
    let secret = ClientSecret {
        tenant_id: identity.tenant_id,
        client_id: identity.client_id,
        client_secret: "any".into(),
    };
    endpoint.ca_pem = None;
    let client = Client::new(endpoint.clone(), secret.sign_in(&endpoint).unwrap()).unwrap();
    let reader = Reader::new(client, Arc::new(Quiet));
    let Observation::Unreadable { why } =
        reader.load_balancer(&lab.id("loadBalancers", "web")).await
    else {
        panic!("the lab's certificate is not one that the system trusts")
    };
    assert!(why.contains("certificate"), "{why}");
    lab.served.stop();
}
