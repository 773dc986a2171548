//! What Azure refuses, and with which words.

use plimsoll_lab::arm::{ArmRequest, Method};
use serde_json::{Value, json};

use crate::lab::{
    GROUP, Lab, balancer, balancer_body, network, nic, nic_body, part, public_ip, rule,
};

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

/// A probe over HTTP may not ask ports of mail and other old services; one over TCP may.
#[test]
fn some_ports_are_not_asked_over_http() {
    let lab = Lab::with_balancer();
    let with = |protocol: &str, port: u16| {
        let mut body = balancer_body(&[rule("green", 80, 80, true)]);
        let probe = &mut body["properties"]["probes"][0]["properties"];
        *probe = match protocol {
            "Tcp" => json!({"protocol": protocol, "port": port}),
            _ => json!({"protocol": protocol, "port": port, "requestPath": "/healthz"}),
        };
        body
    };
    for port in [19, 21, 25, 70, 110, 119, 143, 220, 993] {
        for protocol in ["Http", "https"] {
            assert_eq!(
                lab.refused(&balancer(), &with(protocol, port)).0,
                400,
                "{port}"
            );
        }
        lab.settle(&balancer(), &with("Tcp", port));
    }
    lab.settle(&balancer(), &with("Https", 22));
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

/// Azure's limits that are checked here: 300 rules on an interface, 600 frontends.
#[test]
fn limits_are_refused_by_name() {
    let lab = Lab::with_balancer();
    let many = |count: u16| -> Vec<Value> {
        (0..count)
            .map(|at| rule(&format!("r{at}"), 1000 + at, 1000 + at, true))
            .collect()
    };
    lab.settle(&balancer(), &balancer_body(&many(300)));
    lab.settle(&nic(), &nic_body(&["vms"]));
    lab.settle(&nic(), &nic_body(&[]));
    lab.settle(&balancer(), &balancer_body(&many(301)));
    assert_eq!(
        lab.refused(&nic(), &nic_body(&["vms"])),
        (400, "LoadBalancerRuleCountLimitReachedForNic".to_owned())
    );
    let mut crowded = balancer_body(&[]);
    let frontend = |at: u16| json!({"name": format!("f{at}"), "properties": {}});
    crowded["properties"]["frontendIPConfigurations"] = (0..601).map(frontend).collect();
    assert_eq!(
        lab.refused(&balancer(), &crowded),
        (
            400,
            "LoadBalancerFrontendIPConfigurationCountLimitReached".to_owned()
        )
    );
}
