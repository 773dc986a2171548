//! Virtual machines and instances of scale sets: power states, instance views, scripts.

use plimsoll_lab::arm::{Method, ScriptOutcome, Shell};
use serde_json::{Value, json};

use crate::lab::{GROUP, Lab, balancer, network, part};

/// A machine, and an instance of a scale set.
fn machines(lab: &Lab) -> [String; 2] {
    let compute = format!("{GROUP}/providers/Microsoft.Compute");
    let (machine, set) = (
        format!("{compute}/virtualMachines/vm1"),
        format!("{compute}/virtualMachineScaleSets/web"),
    );
    let instance = format!("{set}/virtualMachines/0");
    let disk = json!({"osDisk": {"osType": "Linux"}});
    let body = json!({"location": "westeurope", "properties": {"storageProfile": disk}});
    lab.settle(
        &set,
        &json!({"location": "westeurope", "sku": {"name": "Standard_B2s", "capacity": 1}}),
    );
    for id in [&machine, &instance] {
        let made = lab.settle(id, &body);
        assert_eq!(made["id"], json!(id), "{made}");
    }
    [machine, instance]
}

fn power(lab: &Lab, machine: &str) -> Value {
    let direct = lab.get(&format!("{machine}/instanceView"));
    let expanded = lab.get(&format!(
        "{machine}?$expand=instanceView&api-version=2024-03-01"
    ));
    assert_eq!(expanded["properties"]["instanceView"], direct);
    assert_eq!(lab.get(machine)["properties"].get("x-lab-power"), None);
    direct["statuses"][1]["code"].clone()
}

#[test]
fn a_machine_that_is_deallocated_runs_no_scripts() {
    let lab = Lab::new();
    let script = json!({"commandId": "RunShellScript", "script": ["echo hello", "echo again"]});
    for machine in machines(&lab) {
        assert_eq!(power(&lab, &machine), "PowerState/running");
        let run = format!("{machine}/runCommand");
        let turn = |action: &str| {
            let answer = lab.send(Method::Post, &format!("{machine}/{action}"), None);
            assert_eq!(answer.status, 202, "{:?}", answer.body);
            lab.wait(1000);
        };
        turn("deallocate");
        assert_eq!(power(&lab, &machine), "PowerState/deallocated");
        let refused = lab.send(Method::Post, &run, Some(&script));
        assert_eq!(
            (refused.status, refused.error_code()),
            (409, Some("OperationNotAllowed"))
        );
        turn("start");

        let accepted = lab.send(Method::Post, &run, Some(&script));
        assert_eq!(accepted.status, 202, "{:?}", accepted.body);
        let busy = lab.send(Method::Post, &run, Some(&script));
        assert_eq!((busy.status, busy.error_code()), (409, Some("Conflict")));
        let (operation, request) = accepted.script.unwrap();
        assert_eq!(request.virtual_machine, machine);
        assert_eq!(
            (request.shell, request.script.as_str()),
            (Shell::Posix, "echo hello\necho again")
        );
        let outcome = ScriptOutcome::Exited {
            exit_code: 0,
            stdout: "hello".to_owned(),
            stderr: String::new(),
        };
        lab.store.finish_script(&operation, &outcome).unwrap();
        let locations = "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.Compute/locations";
        let ended = lab.get(&format!("{locations}/westeurope/operations/{operation}"));
        let message = &ended["properties"]["output"]["value"][0]["message"];
        assert!(message.as_str().unwrap().contains("hello"), "{ended}");
        let nonsense = lab.send(Method::Post, &format!("{machine}/explode"), None);
        assert_eq!(nonsense.status, 404);
    }
}

/// Azure keeps 25 of them, and a change of one that is there is no further one.
#[test]
fn a_machine_keeps_25_managed_run_commands() {
    let lab = Lab::new();
    let body = json!({"location": "westeurope", "properties": {"source": {"script": "true"}}});
    for machine in machines(&lab) {
        let command = |number: usize| format!("{machine}/runCommands/c{number}");
        for number in 1..=25 {
            assert_eq!(lab.put(&command(number), &body).status, 201, "{number}");
        }
        let refused = lab.refused(&command(26), &body);
        assert_eq!(refused, (409, "OperationNotAllowed".to_owned()));
        assert_eq!(lab.put(&command(25), &body).status, 200);
        lab.send(Method::Delete, &command(1), None);
        lab.wait(1000);
        assert_eq!(lab.put(&command(26), &body).status, 201);
    }
}

#[test]
fn a_scale_set_lists_its_instances() {
    let lab = Lab::new();
    let [_, instance] = machines(&lab);
    let (all, _) = instance.rsplit_once('/').unwrap();
    let listed = lab.get(all);
    assert_eq!(
        listed["value"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    assert_eq!(listed["value"][0]["id"], json!(instance));
    let machines = lab.get(&format!(
        "{GROUP}/providers/Microsoft.Compute/virtualMachines"
    ));
    assert_eq!(
        machines["value"].as_array().map(Vec::len),
        Some(1),
        "{machines}"
    );
}

/// They are in pools as any interface is, are read below their instance, and nobody can write them.
#[test]
fn an_instance_brings_its_interfaces() {
    let lab = Lab::with_balancer();
    let [_, other] = machines(&lab);
    let instance = other.replace("/0", "/7");
    let subnet = format!("{}/subnets/default", network("virtualNetworks", "vnet"));
    let configuration = json!({"name": "main", "properties": {"primary": true, "ipConfigurations": [{"name": "ip", "properties": {
        "subnet": {"id": subnet}, "loadBalancerBackendAddressPools": [part("backendAddressPools", "vms")]}}]}});
    let made = lab.settle(
        &instance,
        &json!({"location": "westeurope", "properties": {"networkProfileConfiguration": {"networkInterfaceConfigurations": [configuration]}}}),
    );
    assert_eq!(
        (&made["name"], &made["instanceId"]),
        (&json!("web_7"), &json!("7"))
    );
    let interface = format!("{instance}/networkInterfaces/main");
    assert_eq!(
        made["properties"]["networkProfile"]["networkInterfaces"],
        json!([{"id": interface}])
    );
    let old = |path: &str| lab.get(&format!("{path}?api-version=2018-10-01"));
    let shown = old(&interface);
    assert_eq!(shown["properties"]["virtualMachine"]["id"], json!(instance));
    let pool = || lab.get(&format!("{}/backendAddressPools/vms", balancer()));
    assert_eq!(
        pool()["properties"]["backendIPConfigurations"],
        json!([{"id": format!("{interface}/ipConfigurations/ip")}])
    );
    let (set, _) = instance.split_once("/virtualMachines/").unwrap();
    for (list, count) in [
        (format!("{instance}/networkInterfaces"), 1),
        (format!("{set}/networkInterfaces"), 1),
        (format!("{other}/networkInterfaces"), 0),
        (
            format!("{GROUP}/providers/Microsoft.Network/networkInterfaces"),
            0,
        ),
    ] {
        let listed = old(&list);
        assert_eq!(
            listed["value"].as_array().map(Vec::len),
            Some(count),
            "{list}: {listed}"
        );
    }
    assert_eq!(lab.put(&interface, &shown).status, 405);
    assert_eq!(lab.send(Method::Delete, &interface, None).status, 405);
    assert_eq!(lab.send(Method::Delete, &instance, None).status, 202);
    lab.wait(1000);
    assert_eq!(pool()["properties"].get("backendIPConfigurations"), None);
    assert_eq!(lab.send(Method::Get, &interface, None).status, 404);
}
