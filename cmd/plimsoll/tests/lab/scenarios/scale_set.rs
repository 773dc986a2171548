use super::others::{eventually, put};
use crate::support::{Folder, namespaces};
use serde_json::json;

const NETWORK: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network";
const SITE: &str = "65.52.9.1:80";
/// Declares the machine that stands for an instance.
const INSTANCE: [&str; 2] = ["--var", "script=true"];

/// Nobody plans or applies anything in the instance. It is in the pool from the start, as a model puts it there.
#[test]
fn a_fresh_instance_serves_once_its_boot_script_has_run() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("scale-set");
    folder.apply();
    let with = |arguments: &[&str]| folder.lab(&[&INSTANCE, arguments].concat());
    with(&["lab", "up"]).exits(0);
    let id = format!("{NETWORK}/networkInterfaces/instance-nic");
    let mut nic = folder.lab(&["lab", "arm", "GET", &id]).exits(0).json();
    nic["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] =
        json!([{ "id": format!("{NETWORK}/loadBalancers/web/backendAddressPools/instances") }]);
    put(&folder, &id, &nic);

    // Fresh: its firewall lets no probe in, so Azure sends it nothing.
    let answers = with(&["lab", "probe", SITE, "-n", "4", "--json"]).lines();
    assert!(answers.iter().all(|a| a["ok"] == false), "{answers:?}");

    let script = with(&["guest", "script", "guest.web[\"instance\"]"])
        .exits(0)
        .stdout;
    let boot = |round: &str| {
        let run = with(&["lab", "exec", "web.instance", "--", "sh", "-c", &script]);
        assert_eq!(run.code, 0, "{round}: {}", run.seen());
    };
    let serves = |when: &str| {
        eventually(when, || {
            let answers = with(&["lab", "probe", SITE, "-n", "8", "--json"]).lines();
            answers
                .iter()
                .all(|a| a["ok"] == true && a["seen"] == SITE && a["guest"] == "web.instance")
        });
    };
    boot("first boot");
    serves("the first boot is enough");
    with(&["lab", "reboot", "web.instance"]).exits(0);
    boot("second boot");
    serves("the script may run at every boot");
    with(&["trace", SITE]).exits(0);

    // The load balancer's plan knows nothing of instances, and has nothing to do.
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    folder.lab(&["drift"]).exits(0);
}
