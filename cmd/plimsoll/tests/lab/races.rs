//! Somebody else writes while we do: a portal, an administrator, another deployment.

use crate::azurite::{Azurite, sas};
use crate::support::{Answer, EXAMPLE, Folder, in_blob, namespaces, without_rules};
use std::time::{Duration, Instant};

const LOAD_BALANCER: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web";

fn until_requested(folder: &Folder, request: &str) {
    let began = Instant::now();
    while !folder.requests().iter().any(|r| r == request) {
        assert!(began.elapsed() < Duration::from_secs(60), "no {request}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An apply, and what happens once it has sent a request.
fn apply_and(folder: &Folder, request: &str, then: impl FnOnce()) -> Answer {
    std::thread::scope(|scope| {
        folder.clear_requests();
        let apply = scope.spawn(|| folder.lab(&["apply", "--auto-approve"]));
        until_requested(folder, request);
        then();
        apply.join().unwrap()
    })
}

#[test]
fn an_edit_in_the_portal_between_plan_and_put_survives() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    folder.write(&EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"));
    // Azure puts our write off; the portal comes first.
    folder
        .lab(&[
            "lab",
            "fault",
            "429=1;retry-after=4 on=PUT loadBalancers/web",
        ])
        .exits(0);
    let stale = apply_and(&folder, "PUT Microsoft.Network/loadBalancers/web", || {
        folder.edit_in_portal(LOAD_BALANCER, 17);
    })
    .exits(4)
    .seen();
    assert!(
        stale.contains("moved") || stale.contains("stale"),
        "{stale}"
    );
    let after = folder
        .lab(&["lab", "arm", "GET", LOAD_BALANCER])
        .exits(0)
        .json();
    let rules = after["properties"]["loadBalancingRules"]
        .as_array()
        .unwrap();
    assert_eq!(
        rules[0]["properties"]["idleTimeoutInMinutes"], 17,
        "the edit survives"
    );
    assert!(
        rules
            .iter()
            .all(|rule| rule["properties"]["frontendPort"] != 8001),
        "nothing of ours was written over it"
    );
    // Planned again, it is seen, and the configuration wins.
    folder.apply();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn an_edit_in_a_guest_between_plan_and_script_is_refused() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(&without_rules(EXAMPLE, &["purple", "dns"]));
    folder.apply();
    // It would not survive a reboot, so that the next step has to do with it.
    let wants = "/etc/systemd/system/multi-user.target.wants/plimsoll.service";
    folder
        .lab(&["lab", "exec", "vm1", "--", "rm", wants])
        .exits(0);
    // A new public IP takes its time, and the guests' scripts wait for its address.
    let blue =
        "public_ip \"blue\" {\n  resource_group = \"rg-web\"\n  location = \"westeurope\"\n}\n";
    let text = EXAMPLE
        .replace("public_ip = public_ip.purple", "public_ip = public_ip.blue")
        .replace(
            "load_balancer \"web\" {",
            &format!("{blue}load_balancer \"web\" {{"),
        );
    folder.write(&text);
    folder
        .lab(&["lab", "fault", "slow=4s on=publicIPAddresses"])
        .exits(0);
    let request = "PUT Microsoft.Network/publicIPAddresses/blue";
    let stale = apply_and(&folder, request, || {
        // What the record claims, and the step relies on, is taken away by hand.
        folder
            .lab(&[
                "lab",
                "exec",
                "vm1",
                "--",
                "ip",
                "addr",
                "del",
                "65.52.0.1/32",
                "dev",
                "lo",
            ])
            .exits(0);
    })
    .exits(4)
    .seen();
    assert!(
        stale.contains("guest.vm1") && stale.contains("65.52.0.1"),
        "{stale}"
    );
    let held = folder
        .lab(&[
            "lab", "exec", "vm1", "--", "ip", "-o", "addr", "show", "dev", "lo",
        ])
        .stdout;
    assert!(!held.contains("/32"), "nothing was set: {held}");
    folder.lab(&["lab", "fault", "off"]).exits(0);
    folder.apply();
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

/// The second deployment planned before the first one wrote the guests, and writes them after it.
#[test]
fn two_deployments_write_the_same_guests() {
    if !namespaces() {
        return;
    }
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let token = sas("rwac");
    let environment = [("ARM_SAS_TOKEN", token.as_str())];
    // An interface may be behind one public and one internal load balancer.
    let inside = |address: &str| {
        format!(
            "subnet = \"/subscriptions/${{var.subscription_id}}/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web\"\n    \
             private_ip_address = {address:?}\n    private_ip_allocation = \"Static\""
        )
    };
    let internal = EXAMPLE
        .replace("public_ip = public_ip.green", &inside("10.0.0.100"))
        .replace("public_ip = public_ip.purple", &inside("10.0.0.101"));
    let folder = Folder::new(&without_rules(&internal, &["purple", "dns"]));
    folder.apply();
    // Its own load balancer, state, and addresses that only Azure knows.
    let second = in_blob(
        &without_rules(EXAMPLE, &["dns", "alt", "plain"]),
        &azurite.service(),
    )
    .replace("\"floating-ip\"", "\"second\"")
    .replace("public_ip \"green\"", "public_ip \"red\"")
    .replace("public_ip.green", "public_ip.red")
    .replace("public_ip \"purple\"", "public_ip \"blue\"")
    .replace("public_ip.purple", "public_ip.blue")
    .replace("  lab_address    = \"65.52.0.1\"\n", "")
    .replace("  lab_address    = \"65.52.0.2\"\n", "")
    .replace("load_balancer \"web\"", "load_balancer \"other\"")
    .replace("load_balancer.web", "load_balancer.other")
    .replace("8081", "8082");
    assert!(!second.contains("lab_address"), "{second}");
    folder.write(&second);
    folder.lab_with(&["plan"], &environment).exits(0);
    folder
        .lab(&["lab", "fault", "slow=8s on=publicIPAddresses/red"])
        .exits(0);
    std::thread::scope(|scope| {
        folder.clear_requests();
        let late = scope.spawn(|| folder.lab_with(&["apply", "--auto-approve"], &environment));
        until_requested(&folder, "PUT Microsoft.Network/publicIPAddresses/red");
        folder.write(&internal);
        folder.apply();
        let late = late.join().unwrap();
        assert_eq!(late.code, 0, "{}", late.seen());
    });
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    folder.write(&second);
    folder
        .lab_with(&["plan", "--detailed-exitcode"], &environment)
        .exits(0);
}
