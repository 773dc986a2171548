//! Templates, as `az network lb create` sends them (recorded).

use plimsoll_lab::arm::ArmAnswer;
use serde_json::{Value, json};

use crate::lab::{GROUP, Lab, balancer, public_ip};

fn deployment() -> String {
    format!("{GROUP}/providers/Microsoft.Resources/deployments/lb_deploy")
}

/// A load balancer that comes before the address which it depends on.
fn template(frontend: &Value) -> Value {
    json!({"properties": {"mode": "incremental", "parameters": {}, "template": {
        "resources": [
            {"type": "Microsoft.Network/loadBalancers", "name": "web", "location": "westeurope", "apiVersion": "2022-01-01",
             "dependsOn": ["Microsoft.Network/publicIpAddresses/green"], "sku": {"name": "Standard"},
             "properties": {"backendAddressPools": [{"name": "vms"}],
                            "frontendIPConfigurations": [{"name": "green", "properties": frontend}]}},
            {"type": "Microsoft.Network/publicIPAddresses", "name": "green", "location": "westeurope",
             "apiVersion": "2022-01-01", "dependsOn": [], "sku": {"name": "Standard"},
             "properties": {"publicIPAllocationMethod": "Static"}},
        ],
        "outputs": {"loadBalancer": {"type": "object", "value": "[reference('web')]"}},
    }}})
}

fn started(lab: &Lab, template: &Value) -> ArmAnswer {
    lab.put(GROUP, &json!({"location": "westeurope"}));
    lab.put(&deployment(), template)
}

/// What its operation says now.
fn status(lab: &Lab, answer: &ArmAnswer) -> Value {
    let link = answer.header("Azure-AsyncOperation").unwrap();
    lab.get(link.split_once("management.lab").unwrap().1)
}

#[test]
fn a_template_becomes_what_it_describes_in_the_order_of_its_dependencies() {
    let lab = Lab::new();
    let frontend = json!({"publicIPAddress": {"id": public_ip("green")}});
    let answer = started(&lab, &template(&frontend));
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    assert_eq!(status(&lab, &answer), json!({"status": "Running"}));
    lab.wait(1000);
    assert_eq!(status(&lab, &answer), json!({"status": "Succeeded"}));
    let outputs = lab.get(&deployment())["properties"]["outputs"].clone();
    let made = &outputs["loadBalancer"]["value"]["frontendIPConfigurations"][0]["properties"];
    assert_eq!(made["publicIPAddress"]["id"], json!(public_ip("green")));
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Succeeded"
    );
}

#[test]
fn a_template_that_cannot_be_says_what_failed() {
    let lab = Lab::new();
    let answer = started(&lab, &template(&json!({})));
    let ended = status(&lab, &answer);
    assert_eq!(ended["status"], "Failed");
    assert_eq!(ended["error"]["code"], "DeploymentFailed");
    let inner = &ended["error"]["details"][0]["code"];
    assert_eq!(
        inner,
        "LoadBalancerFrontendIPConfigMustHaveSubnetOrPublicIP"
    );

    let clever = template(&json!({"publicIPAddress": {"id": "[resourceId('x', 'y')]"}}));
    let refused = lab.put(&deployment(), &clever);
    assert_eq!(
        (refused.status, refused.error_code()),
        (400, Some("InvalidTemplate"))
    );
}
