//! The emulator's answers, request by request, on a clock turned by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use plimsoll_lab::arm::{ArmAnswer, ArmRequest, Method, Store};
use serde_json::{Value, json};

const GROUP: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg";

/// A store and the hand on its clock.
struct Lab {
    store: Store,
    milliseconds: Arc<AtomicI64>,
}

impl Lab {
    fn new() -> Self {
        let milliseconds = Arc::new(AtomicI64::new(1_700_000_000_000));
        let hand = Arc::clone(&milliseconds);
        let clock =
            Arc::new(move || Timestamp::from_millisecond(hand.load(Ordering::Relaxed)).unwrap());
        Self {
            store: Store::in_memory(clock),
            milliseconds,
        }
    }

    fn wait(&self, milliseconds: i64) {
        self.milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> ArmAnswer {
        let path = if path.contains('?') {
            path.to_owned()
        } else {
            format!("{path}?api-version=2024-01-01")
        };
        self.store.answer(&ArmRequest::new(method, &path, body))
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::Get, path, None);
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answer.body.unwrap()
    }

    fn put(&self, path: &str, body: &Value) -> ArmAnswer {
        self.send(Method::Put, path, Some(body))
    }

    /// PUT that must be accepted, and its operation waited for.
    fn settle(&self, path: &str, body: &Value) -> Value {
        let answer = self.put(path, body);
        assert!(answer.status < 300, "{path}: {:?}", answer.body);
        self.wait(1000);
        self.get(path)
    }

    fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.put(path, body);
        (
            answer.status,
            answer.error_code().unwrap_or_default().to_owned(),
        )
    }

    /// A public IP and a load balancer with one pool, one probe and one floating rule.
    fn with_balancer() -> Self {
        let lab = Self::new();
        lab.settle(
            &public_ip("green"),
            &json!({"location": "West Europe", "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"}}),
        );
        lab.settle(&balancer(), &balancer_body(&[rule("green", 80, 80, true)]));
        lab
    }

    fn with_member(self) -> Self {
        self.settle(&nic(), &nic_body(&["vms"]));
        self
    }
}

fn network(kind: &str, name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.Network/{kind}/{name}")
}

fn public_ip(name: &str) -> String {
    network("publicIPAddresses", name)
}

fn balancer() -> String {
    network("loadBalancers", "web")
}

fn nic() -> String {
    network("networkInterfaces", "vm1-nic")
}

fn part(array: &str, name: &str) -> Value {
    json!({"id": format!("{}/{array}/{name}", balancer())})
}

fn rule(name: &str, frontend_port: u16, backend_port: u16, floating: bool) -> Value {
    json!({"name": name, "properties": {
        "frontendIPConfiguration": part("frontendIPConfigurations", "green"),
        "backendAddressPool": part("backendAddressPools", "vms"),
        "probe": part("probes", "http"),
        "protocol": "Tcp", "frontendPort": frontend_port, "backendPort": backend_port,
        "enableFloatingIP": floating,
    }})
}

fn balancer_body(rules: &[Value]) -> Value {
    json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {
        "frontendIPConfigurations": [{"name": "green", "properties": {"publicIPAddress": {"id": public_ip("green")}}}],
        "backendAddressPools": [{"name": "vms"}],
        "probes": [{"name": "http", "properties": {"protocol": "Http", "port": 8080, "requestPath": "/healthz"}}],
        "loadBalancingRules": rules,
    }})
}

fn nic_body(pools: &[&str]) -> Value {
    let pools: Vec<Value> = pools
        .iter()
        .map(|pool| part("backendAddressPools", pool))
        .collect();
    json!({"location": "westeurope", "properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": {
        "subnet": {"id": format!("{}/subnets/default", network("virtualNetworks", "vnet"))},
        "loadBalancerBackendAddressPools": pools,
    }}]}})
}

/// Every value of the key `name` anywhere in the document.
fn all(document: &Value, name: &str) -> Vec<String> {
    match document {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if key == name => vec![text.clone()],
                other => all(other, name),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| all(item, name)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_public_ip_gets_its_address_when_its_operation_is_done() {
    let lab = Lab::new();
    lab.store
        .prefer_address(
            &public_ip("green").to_uppercase(),
            "65.52.0.1".parse().unwrap(),
        )
        .unwrap();
    let answer = lab.put(
        &public_ip("green"),
        &json!({"location": "West Europe", "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"}}),
    );
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body.as_ref().unwrap()["location"], "westeurope");
    assert_eq!(
        answer.body.as_ref().unwrap()["properties"].get("ipAddress"),
        None
    );
    assert_eq!(
        all(answer.body.as_ref().unwrap(), "provisioningState"),
        ["Updating"]
    );
    lab.wait(299);
    assert_eq!(
        lab.get(&public_ip("green"))["properties"]["provisioningState"],
        "Updating"
    );
    lab.wait(1);
    let done = lab.get(&public_ip("green"));
    assert_eq!(done["properties"]["ipAddress"], "65.52.0.1");
    assert_ne!(
        done["etag"],
        answer.body.unwrap()["etag"],
        "the etag moves when an update ends"
    );
}

#[test]
fn the_service_completes_a_load_balancer() {
    let lab = Lab::with_balancer();
    let shown = lab.get(&balancer());
    let rule = &shown["properties"]["loadBalancingRules"][0];
    let expected = json!({
        "provisioningState": "Succeeded",
        "frontendIPConfiguration": part("frontendIPConfigurations", "green"),
        "frontendPort": 80, "backendPort": 80, "enableFloatingIP": true, "idleTimeoutInMinutes": 4, "protocol": "Tcp",
        "enableDestinationServiceEndpoint": false, "enableTcpReset": false, "allowBackendPortConflict": false,
        "loadDistribution": "Default", "disableOutboundSnat": false,
        "backendAddressPool": part("backendAddressPools", "vms"),
        "backendAddressPools": [part("backendAddressPools", "vms")],
        "probe": part("probes", "http"),
    });
    assert_eq!(rule["properties"], expected);
    assert_eq!(
        rule["type"],
        "Microsoft.Network/loadBalancers/loadBalancingRules"
    );
    let back = json!([part("loadBalancingRules", "green")]);
    for array in ["frontendIPConfigurations", "backendAddressPools", "probes"] {
        assert_eq!(
            shown["properties"][array][0]["properties"]["loadBalancingRules"], back,
            "{array}"
        );
    }
    let mut etags = all(&shown, "etag");
    etags.dedup();
    assert_eq!(
        etags.len(),
        1,
        "one etag for the resource and all its parts"
    );
    assert_eq!(
        lab.get(&public_ip("green"))["properties"]["ipConfiguration"],
        part("frontendIPConfigurations", "green")
    );
}

#[test]
fn a_put_replaces_the_whole_but_not_the_members() {
    let lab = Lab::with_balancer().with_member();
    let before = lab.get(&balancer());
    assert_eq!(
        before["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"],
        json!([{"id": format!("{}/ipConfigurations/ipconfig1", nic())}])
    );
    let answer = lab.put(&balancer(), &balancer_body(&[rule("blue", 81, 81, false)]));
    assert_eq!(answer.status, 200);
    assert!(answer.header("Azure-AsyncOperation").is_some());
    assert_eq!(
        (answer.header("ETag"), answer.header("Location")),
        (None, None)
    );
    let body = answer.body.unwrap();
    assert!(
        all(&body, "provisioningState")
            .iter()
            .all(|state| state == "Updating"),
        "members make it take time"
    );
    assert_eq!(
        body["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(body["properties"]["loadBalancingRules"][0]["name"], "blue");
    assert_eq!(
        body["properties"]["resourceGuid"],
        before["properties"]["resourceGuid"]
    );
    lab.wait(300);
    let after = lab.get(&balancer());
    assert!(
        all(&after, "provisioningState")
            .iter()
            .all(|state| state == "Succeeded")
    );
    assert_eq!(
        after["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let etags = [&before, &body, &after].map(|document| document["etag"].clone());
    assert!(
        etags[0] != etags[1] && etags[1] != etags[2],
        "a new etag at the PUT and at its end: {etags:?}"
    );
}

#[test]
fn the_operation_says_when_it_is_done() {
    let lab = Lab::with_balancer().with_member();
    let answer = lab.put(&balancer(), &balancer_body(&[]));
    let link = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://management.lab", "");
    assert!(link.contains("/locations/westeurope/operations/"), "{link}");
    assert_eq!(lab.get(&link), json!({"status": "InProgress"}));
    lab.wait(300);
    assert_eq!(lab.get(&link), json!({"status": "Succeeded"}));
}

#[test]
fn a_later_put_supersedes_a_running_one() {
    let lab = Lab::with_balancer().with_member();
    let first = lab.put(&balancer(), &balancer_body(&[]));
    let second = lab.put(&balancer(), &balancer_body(&[rule("green", 80, 80, true)]));
    lab.wait(300);
    let link = |answer: &ArmAnswer| {
        answer
            .header("Azure-AsyncOperation")
            .unwrap()
            .replace("https://management.lab", "")
    };
    let ended = lab.get(&link(&first));
    assert_eq!(ended["status"], "Canceled");
    assert_eq!(
        ended["error"]["details"][0]["code"],
        "CanceledAndSupersededDueToAnotherOperation"
    );
    assert_eq!(lab.get(&link(&second)), json!({"status": "Succeeded"}));
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn if_match_guards_load_balancers_and_interfaces_as_the_fault_says() {
    let lab = Lab::with_balancer().with_member();
    let guarded = |path: &str, body: &Value, etag: &str| {
        let mut request = ArmRequest::new(
            Method::Put,
            &format!("{path}?api-version=2024-01-01"),
            Some(body),
        );
        request.if_match = Some(etag.to_owned());
        let answer = lab.store.answer(&request);
        lab.wait(1000);
        answer
    };
    let stale = guarded(&balancer(), &balancer_body(&[]), "W/\"x\"");
    assert_eq!(
        (stale.status, stale.error_code()),
        (412, Some("PreconditionFailed"))
    );
    assert_eq!(
        stale.body.unwrap()["error"]["details"][0]["code"],
        "PreconditionFailedEtagMismatch"
    );
    let etag = lab.get(&balancer())["etag"].as_str().unwrap().to_owned();
    assert_eq!(guarded(&balancer(), &balancer_body(&[]), &etag).status, 200);
    for (mode, status) in [("honoured", 412), ("ignored", 200), ("refused", 400)] {
        lab.store
            .set_fault(&format!("nic-if-match={mode}"))
            .unwrap();
        assert_eq!(
            guarded(&nic(), &nic_body(&["vms"]), "W/\"x\"").status,
            status,
            "{mode}"
        );
    }
}

#[test]
fn an_interface_that_joins_moves_the_load_balancers_etag() {
    let lab = Lab::with_balancer();
    let before = lab.get(&balancer())["etag"].clone();
    lab.settle(&nic(), &nic_body(&[]));
    assert_eq!(lab.get(&balancer())["etag"], before);
    lab.settle(&nic(), &nic_body(&["vms"]));
    assert_ne!(lab.get(&balancer())["etag"], before);
    assert_eq!(
        lab.get(&nic())["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"],
        "10.0.0.4"
    );
}

#[test]
fn what_goes_with_a_load_balancer() {
    let lab = Lab::with_balancer().with_member();
    let in_use = lab.send(Method::Delete, &public_ip("green"), None);
    assert_eq!(
        (in_use.status, in_use.error_code()),
        (400, Some("PublicIPAddressCannotBeDeleted"))
    );
    let gone = lab.send(Method::Delete, &balancer(), None);
    assert_eq!((gone.status, gone.body.as_ref()), (202, None));
    let results = gone
        .header("Location")
        .unwrap()
        .replace("https://management.lab", "");
    assert_eq!(lab.send(Method::Get, &results, None).status, 202);
    lab.wait(300);
    assert_eq!(lab.send(Method::Get, &results, None).status, 204);
    assert_eq!(lab.send(Method::Delete, &balancer(), None).status, 204);
    let missing = lab.send(Method::Get, &balancer(), None);
    assert_eq!(
        (missing.status, missing.error_code()),
        (404, Some("ResourceNotFound"))
    );
    assert_eq!(
        lab.get(&nic())["properties"]["ipConfigurations"][0]["properties"]
            .get("loadBalancerBackendAddressPools"),
        None
    );
    assert_eq!(
        lab.send(Method::Delete, &public_ip("green"), None).status,
        202
    );
}

#[test]
fn arm_refuses_what_cannot_be() {
    let lab = Lab::with_balancer();
    let code = |body: &Value| lab.refused(&balancer(), body);
    let bad = |expected: &str| (400, expected.to_owned());
    let body = |change: &dyn Fn(&mut Value)| {
        let mut body = balancer_body(&[rule("green", 80, 80, true)]);
        change(&mut body);
        body
    };
    for array in ["backendAddressPools", "probes"] {
        assert_eq!(
            code(&body(&|body| body["properties"][array] = json!([]))),
            bad("InvalidResourceReference"),
            "{array}"
        );
    }
    assert_eq!(
        code(&balancer_body(&[
            rule("a", 80, 80, false),
            rule("b", 81, 80, false)
        ])),
        bad("RulesUseSameBackendPortProtocolAndPool")
    );
    assert_eq!(
        code(&balancer_body(&[
            rule("a", 80, 80, true),
            rule("b", 81, 80, true)
        ])),
        bad("RulesUseSameBackendPortProtocolAndPoolAndFrontendIPWithFloatingIPEnabled")
    );
    assert_eq!(
        code(&balancer_body(&[
            rule("a", 80, 80, true),
            rule("b", 80, 81, true)
        ])),
        bad("RulesUseSameFrontendPortProtocolAndIP")
    );
    assert_eq!(
        code(&balancer_body(&[
            rule("a", 80, 80, true),
            rule("A", 81, 81, true)
        ])),
        bad("InvalidRequestFormat")
    );
    assert_eq!(
        code(&body(
            &|body| body["properties"]["frontendIPConfigurations"] = json!([])
        )),
        bad("LoadBalancerWithoutFrontendIPCantHaveChildResources")
    );
    assert_eq!(
        code(&body(&|body| body["sku"]["name"] = json!("Basic"))),
        bad("PublicIPAndLBSkuDoNotMatch")
    );
    let ha = |body: &mut Value| {
        body["properties"]["loadBalancingRules"][0]["properties"]["protocol"] = json!("All");
        body["properties"]["loadBalancingRules"][0]["properties"]["frontendPort"] = json!(0);
        body["properties"]["loadBalancingRules"][0]["properties"]["backendPort"] = json!(0);
    };
    assert_eq!(code(&body(&ha)).0, 400);
    let snat = |body: &mut Value| {
        body["properties"]["outboundRules"] = json!([{"name": "out", "properties": {"protocol": "All",
            "frontendIPConfigurations": [part("frontendIPConfigurations", "green")],
            "backendAddressPool": part("backendAddressPools", "vms")}}]);
    };
    assert_eq!(
        code(&body(&snat)),
        bad(
            "LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule"
        )
    );
    let second = network("loadBalancers", "second");
    let used = serde_json::from_str(
        &balancer_body(&[])
            .to_string()
            .replace("loadBalancers/web", "loadBalancers/second"),
    )
    .unwrap();
    assert_eq!(lab.refused(&second, &used), bad("PublicIPAddressInUse"));
    assert_eq!(
        lab.refused(&nic(), &nic_body(&["nowhere"])),
        bad("InvalidResourceReference")
    );
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "nothing changed"
    );
}

#[test]
fn floating_and_other_rules_may_share_a_port() {
    let lab = Lab::with_balancer();
    // FACTS 5: no code that forbids it was found, so the emulator does not.
    let answer = lab.put(
        &balancer(),
        &balancer_body(&[rule("a", 80, 80, true), rule("b", 81, 80, false)]),
    );
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

#[test]
fn an_echoed_member_of_a_pool_is_refused() {
    let lab = Lab::with_balancer().with_member();
    let mut body = lab.get(&balancer());
    let (status, code) = lab.refused(&balancer(), &body);
    assert_eq!((status, code.as_str()), (400, "InvalidRequestFormat"));
    body["properties"]["backendAddressPools"][0]["properties"]["loadBalancerBackendAddresses"] =
        json!([]);
    let after = lab.settle(&balancer(), &body);
    assert_eq!(
        after["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_gateway_checks_the_form_of_a_request() {
    let lab = Lab::with_balancer();
    let code = |method, path: &str| {
        let answer = lab.store.answer(&ArmRequest::new(method, path, None));
        (
            answer.status,
            answer.error_code().unwrap_or_default().to_owned(),
        )
    };
    let expect = |status, code: &str| (status, code.to_owned());
    assert_eq!(
        code(Method::Get, &balancer()),
        expect(400, "MissingApiVersionParameter")
    );
    assert_eq!(
        code(Method::Get, &format!("{}?api-version=soon", balancer())),
        expect(400, "InvalidApiVersionParameter")
    );
    assert_eq!(
        code(
            Method::Get,
            &format!("{}?api-version=2024-01-02", balancer())
        ),
        expect(404, "InvalidResourceType")
    );
    assert_eq!(
        code(
            Method::Put,
            &format!("{}?api-version=2024-01-02", balancer())
        ),
        expect(400, "NoRegisteredProviderFound")
    );
    assert_eq!(
        code(
            Method::Put,
            &format!("{}?api-version=2024-01-01", balancer())
        ),
        expect(400, "InvalidRequestContent")
    );
    let elsewhere = balancer().replace("/rg/", "/nowhere/");
    assert_eq!(
        code(Method::Get, &format!("{elsewhere}?api-version=2024-01-01")),
        expect(404, "ResourceGroupNotFound")
    );
    let part = format!("{}/probes/none?api-version=2024-01-01", balancer());
    assert_eq!(code(Method::Get, &part), expect(404, "NotFound"));
}

#[test]
fn no_body_makes_it_panic() {
    let lab = Lab::with_balancer().with_member();
    let odd = [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({"properties": []}),
        json!({"properties": null, "location": "x"}),
        json!({"location": 7, "properties": {}}),
    ];
    let arrays = [
        "frontendIPConfigurations",
        "backendAddressPools",
        "loadBalancingRules",
        "probes",
        "inboundNatRules",
        "outboundRules",
        "inboundNatPools",
        "ipConfigurations",
        "subnets",
        "securityRules",
    ];
    let items = [
        json!(7),
        json!(["x"]),
        json!([{}]),
        json!([{"name": "x"}]),
        json!([{"name": "x", "properties": 3}]),
        json!([{"name": "x", "properties": {"frontendIPConfiguration": 3, "backendAddressPools": {"id": 1}, "subnet": {"id": 9}}}]),
        json!([{"name": "green", "properties": {"publicIPAddress": {"id": "/x"}, "subnet": {"id": "/subscriptions/a/b"}}}]),
    ];
    let shaped = arrays.iter().flat_map(|array| {
        items
            .iter()
            .map(move |item| json!({"location": "westeurope", "properties": {*array: item}}))
    });
    let bodies: Vec<Value> = odd.iter().cloned().chain(shaped).collect();
    let paths = [
        balancer(),
        nic(),
        public_ip("green"),
        network("virtualNetworks", "vnet"),
        network("networkSecurityGroups", "n"),
        network("publicIPPrefixes", "p"),
        format!("{}/backendAddressPools/vms", balancer()),
        format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1"),
        GROUP.to_owned(),
    ];
    for path in &paths {
        for body in &bodies {
            for method in [Method::Put, Method::Patch] {
                let answer = lab.send(method, path, Some(body));
                assert!(answer.status > 0);
                lab.wait(400);
            }
        }
    }
}

#[test]
fn children_have_their_own_get_and_two_their_own_put() {
    let lab = Lab::with_balancer();
    let rule = format!("{}/loadBalancingRules/green", balancer());
    assert_eq!(lab.get(&rule)["name"], "green");
    assert_eq!(lab.put(&rule, &json!({"properties": {}})).status, 405);
    let pool = format!("{}/backendAddressPools/addresses", balancer());
    let body = json!({"properties": {"loadBalancerBackendAddresses": [{"name": "a", "properties": {"ipAddress": "10.1.0.4",
        "virtualNetwork": {"id": network("virtualNetworks", "vnet")}}}]}});
    let answer = lab.put(&pool, &body);
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    assert_eq!(
        answer.body.unwrap()["properties"]["provisioningState"],
        "Updating"
    );
    lab.wait(300);
    let shown = lab.get(&pool);
    assert_eq!(
        shown["properties"]["loadBalancerBackendAddresses"][0]["properties"]["ipAddress"],
        "10.1.0.4"
    );
    assert_eq!(
        lab.get(&format!("{}/backendAddressPools", balancer()))["value"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(lab.send(Method::Delete, &pool, None).status, 202);
    lab.wait(300);
    assert_eq!(lab.send(Method::Get, &pool, None).status, 404);
    assert_eq!(lab.get(&rule)["name"], "green", "the rest stays");
}

#[test]
fn faults_befall_what_they_name() {
    let lab = Lab::with_balancer().with_member();
    let put = || lab.put(&balancer(), &balancer_body(&[]));
    lab.store
        .set_fault("429=1;retry-after=3 on=PUT loadBalancers")
        .unwrap();
    let throttled = put();
    assert_eq!(
        (
            throttled.status,
            throttled.error_code(),
            throttled.header("Retry-After")
        ),
        (429, Some("RetryableError"), Some("3"))
    );
    lab.store.set_fault("409=1").unwrap();
    assert_eq!(put().error_code(), Some("AnotherOperationInProgress"));
    lab.store.set_fault("503=1 on=GET").unwrap();
    assert_eq!(lab.send(Method::Get, &balancer(), None).status, 503);
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "nothing was carried out"
    );

    lab.store.set_fault("superseded").unwrap();
    let answer = put();
    assert_eq!(answer.status, 200);
    lab.wait(400);
    let link = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://management.lab", "");
    assert_eq!(lab.get(&link)["status"], "Canceled");
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "as before"
    );

    lab.store.set_fault("fail-operation").unwrap();
    let answer = put();
    lab.wait(400);
    let link = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://management.lab", "");
    assert_eq!(lab.get(&link)["status"], "Failed");
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Failed"
    );

    lab.store.set_fault("slow=2s").unwrap();
    put();
    lab.wait(1999);
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Updating"
    );
    lab.wait(1);
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Succeeded"
    );
}

#[test]
fn stale_reads_show_the_past_for_a_while() {
    let lab = Lab::with_balancer();
    lab.store.set_fault("stale-reads=5s").unwrap();
    let before = lab.get(&balancer())["etag"].clone();
    assert_eq!(lab.put(&balancer(), &balancer_body(&[])).status, 200);
    lab.wait(4900);
    assert_eq!(lab.get(&balancer())["etag"], before);
    lab.wait(500);
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"],
        json!([])
    );
}

#[test]
fn ten_changed_rules_are_one_put_in_the_log() {
    let lab = Lab::with_balancer();
    lab.store.clear_requests();
    let rules: Vec<Value> = (0..10)
        .map(|at| rule(&format!("r{at}"), 100 + at, 100 + at, true))
        .collect();
    lab.settle(&balancer(), &balancer_body(&rules));
    let log = lab.store.requests();
    let summary: Vec<String> = log
        .iter()
        .map(|entry| format!("{} {}", entry.method, entry.status))
        .collect();
    assert_eq!(summary, ["PUT 200", "GET 200"]);
    assert!(log[0].request_bytes > 1000 && log[0].response_bytes > log[0].request_bytes);
}

#[test]
fn what_is_loaded_keeps_everything() {
    let lab = Lab::new();
    let pool = format!("{}/backendAddressPools/vms", balancer());
    let scale_set = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/networkInterfaces/n/ipConfigurations/i";
    let document = json!({"name": "web", "id": balancer(), "etag": "W/\"kept\"", "type": "Microsoft.Network/loadBalancers",
        "location": "westeurope", "sku": {"name": "Standard", "tier": "Regional"}, "properties": {
        "provisioningState": "Succeeded", "resourceGuid": "g", "futureThing": {"a": 1},
        "frontendIPConfigurations": [{"name": "green", "id": format!("{}/frontendIPConfigurations/green", balancer()), "etag": "W/\"kept\"",
            "properties": {"provisioningState": "Succeeded", "publicIPAddress": {"id": public_ip("green")}}}],
        "backendAddressPools": [{"name": "vms", "id": pool, "etag": "W/\"kept\"", "properties": {"provisioningState": "Succeeded",
            "backendIPConfigurations": [{"id": format!("{}/ipConfigurations/ipconfig1", nic())}, {"id": scale_set}]}}],
    }});
    assert_eq!(
        lab.store.load(&json!({"value": [document]})).unwrap(),
        [balancer()]
    );
    let shown = lab.get(&balancer());
    assert_eq!(shown["etag"], "W/\"kept\"");
    assert_eq!(shown["properties"]["futureThing"], json!({"a": 1}));
    let members =
        &shown["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"];
    assert_eq!(members.as_array().unwrap().len(), 2, "{members}");
    assert_eq!(
        lab.get(&nic())["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"],
        json!([{"id": pool}])
    );
    assert!(lab.get(&public_ip("green"))["properties"]["ipAddress"].is_string());
    // A PUT by a client that strips read-only members keeps both memberships.
    let mut body = shown.clone();
    body["properties"]["backendAddressPools"] = json!([{"name": "vms"}]);
    let after = lab.settle(&balancer(), &body);
    let kept =
        &after["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"];
    assert_eq!(kept.as_array().unwrap().len(), 2);
    assert_eq!(after["properties"]["futureThing"], json!({"a": 1}));
    for bad in [
        json!(3),
        json!({}),
        json!({"id": "/x"}),
        json!([{"id": balancer(), "properties": 3}]),
    ] {
        assert!(lab.store.load(&bad).is_err(), "{bad}");
    }
}

#[test]
fn the_labs_own_interfaces_hold_their_addresses() {
    let lab = Lab::new();
    let ensure = |configuration: &str, address: &str| {
        lab.store.ensure_network_interface(
            &nic(),
            configuration,
            address.parse().unwrap(),
            "westeurope",
        )
    };
    ensure("ipconfig1", "10.7.0.4").unwrap();
    ensure("ipv6", "fd00:7::4").unwrap();
    ensure("ipconfig1", "10.7.0.4").unwrap();
    let shown = lab.get(&nic());
    let addresses: Vec<&Value> = shown["properties"]["ipConfigurations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["properties"]["privateIPAddress"])
        .collect();
    assert_eq!(addresses, ["10.7.0.4", "fd00:7::4"]);
    let other = network("networkInterfaces", "other");
    assert!(
        lab.store
            .ensure_network_interface(&other, "i", "10.7.0.4".parse().unwrap(), "westeurope")
            .is_err(),
        "taken"
    );
    assert!(
        lab.store
            .ensure_network_interface("/nonsense", "i", "10.7.0.9".parse().unwrap(), "westeurope")
            .is_err()
    );
    let machine = format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1");
    lab.store
        .ensure_virtual_machine(&machine, "Linux", &[nic()], "westeurope")
        .unwrap();
    assert_eq!(
        lab.get(&nic())["properties"]["virtualMachine"],
        json!({"id": machine})
    );
    assert_eq!(
        lab.send(Method::Delete, &nic(), None).error_code(),
        Some("NicInUse")
    );
}
