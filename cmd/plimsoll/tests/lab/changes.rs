use crate::support::{EXAMPLE, Folder, namespaces, without_rules};
use std::time::{Duration, Instant};

#[test]
fn ten_changed_rules_are_one_put() {
    if !namespaces() {
        return;
    }
    let rules = |timeout: u32| {
        let rules: String = (0..10)
            .map(|n| {
                format!(
                    "  rule \"r{n}\" {{\n    frontend                = frontend.green\n    backend_pools           = [backend_pool.vms]\n    \
                     probe                   = probe.http\n    protocol                = \"Tcp\"\n    frontend_port           = {port}\n    \
                     backend_port            = {port}\n    floating_ip             = true\n    idle_timeout_in_minutes = {timeout}\n  }}\n",
                    port = 9000 + n
                )
            })
            .collect();
        EXAMPLE.replace(
            "  rule \"purple\" {",
            &format!("{rules}\n  rule \"purple\" {{"),
        )
    };
    let folder = Folder::new(&rules(4));
    folder.apply();
    folder.write(&rules(30));
    folder.clear_requests();
    folder.apply();
    let requests = folder.requests();
    let puts: Vec<&String> = requests.iter().filter(|r| !r.starts_with("GET ")).collect();
    assert_eq!(puts, ["PUT Microsoft.Network/loadBalancers/web"]);
    let reads = requests
        .iter()
        .filter(|r| *r == "GET Microsoft.Network/loadBalancers/web")
        .count();
    assert_eq!(
        reads, 4,
        "to plan, to check, before the PUT and after it: {requests:?}"
    );
}

#[test]
fn a_removal_interrupts_nobody_else() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    folder.write(&without_rules(EXAMPLE, &["purple", "dns"]));
    let plan = folder.lab(&["plan"]).exits(0).stdout;
    let switch = plan
        .find("1 write: -purple -dns")
        .expect("the delete is in the plan");
    let contract = plan
        .find("without address 65.52.0.2/32")
        .expect("the guests lose the address");
    assert!(switch < contract, "the load balancer first:\n{plan}");

    folder.lab(&["lab", "fault", "slow=2s"]).exits(0);
    folder.under_load(&["65.52.0.1:80"], || {
        let began = Instant::now();
        folder.apply();
        assert!(
            began.elapsed() > Duration::from_secs(2),
            "the write was slow"
        );
    });
    folder
        .lab(&["lab", "probe", "65.52.0.2:80", "-n", "2"])
        .exits(2);
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
}

#[test]
fn with_a_lost_state_a_removed_rule_stays_and_keeps_its_traffic() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    std::fs::remove_file(folder.state()).unwrap();
    folder.write(&without_rules(EXAMPLE, &["purple"]));
    let plan = folder.lab(&["plan"]).exits(0).stdout;
    assert!(
        plan.contains("rule \"purple\"") && plan.contains("not ours, kept"),
        "{plan}"
    );
    folder.apply();
    folder.serves("65.52.0.2:80", &["65.52.0.2:80"]);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_saved_plan_is_applied_exactly_or_not_at_all() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.lab(&["plan", "--out", "web.plim"]).exits(0);
    assert!(
        folder
            .lab(&["show", "web.plim"])
            .exits(0)
            .stdout
            .contains("rule \"green\"")
    );
    folder.lab(&["apply", "web.plim"]).exits(0);
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);

    // What the plan shows of its scripts is what the saved plan sends.
    let lose = [
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
    ];
    folder.lab(&lose).exits(0);
    let plan = ["plan", "--out", "heal.plim", "--show-scripts", "--json"];
    let plan = folder.lab(&plan).exits(0).json();
    let script = &plan["scripts"][0];
    assert_eq!(script["guest"], "guest.vm1", "{plan}");
    let text = script["text"].as_str().unwrap();
    assert!(text.contains("\nadd_address 65.52.0.1/32\n"), "{text}");
    let healed = folder.lab(&["apply", "heal.plim", "--show-scripts"]);
    let healed = healed.exits(0).seen();
    assert!(healed.contains(text), "{healed}");

    folder.write(&EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"));
    folder.lab(&["plan", "--out", "web.plim"]).exits(0);
    // Somebody edits the load balancer in the portal.
    let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web";
    folder.edit_in_portal(id, 17);
    let stale = folder.lab(&["apply", "web.plim"]).exits(4).seen();
    assert!(stale.contains("rule \"green\" changed"), "{stale}");
    let after = folder.lab(&["lab", "arm", "GET", id]).exits(0).json();
    assert_eq!(
        after["properties"]["loadBalancingRules"][0]["properties"]["idleTimeoutInMinutes"],
        17
    );
    folder.lab(&["drift"]).exits(2);
}
