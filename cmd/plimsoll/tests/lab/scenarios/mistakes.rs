use super::folders::{examples, name};
use crate::support::Folder;
use std::collections::BTreeSet;

/// An example, what replaces what in it, and the code that says so.
struct Mistake {
    example: &'static str,
    edits: &'static [(&'static str, &'static str)],
    code: &'static str,
}

const fn mistake(
    example: &'static str,
    code: &'static str,
    edits: &'static [(&'static str, &'static str)],
) -> Mistake {
    Mistake {
        example,
        edits,
        code,
    }
}

const MISTAKES: &[Mistake] = &[
    mistake(
        "floating-ip",
        "PL0101",
        &[("    floating_ip   = true\n", "")],
    ),
    mistake(
        "floating-ip",
        "PL0104",
        &[("frontend.purple", "frontend.purpel")],
    ),
    mistake(
        "tls-endpoints",
        "PL0101",
        &[("    floating_ip           = true\n", "")],
    ),
    mistake(
        "tls-endpoints",
        "PL0175",
        &[("    disable_outbound_snat = true\n", "")],
    ),
    mistake(
        "tls-endpoints",
        "PL0150",
        &[("    request_path        = \"/healthz\"\n", "")],
    ),
    mistake(
        "tls-endpoints",
        "PL0152",
        &[("probe_threshold     = 2", "number_of_probes    = 3")],
    ),
    mistake(
        "sql-always-on",
        "PL0137",
        &[("    floating_ip   = true\n", "")],
    ),
    mistake(
        "sql-always-on",
        "PL0135",
        &[
            ("    private_ip_address    = each.value.address\n", ""),
            ("    private_ip_allocation = \"Static\"\n", ""),
        ],
    ),
    mistake("sql-always-on", "PL0136", &[("59998", "59999")]),
    mistake(
        "sql-always-on",
        "PL0153",
        &[("= each.value.probe_port", "= 1433")],
    ),
    mistake(
        "sql-always-on",
        "PL0156",
        &[("backend_port  = 1433", "backend_port  = 1434")],
    ),
    mistake(
        "sql-always-on",
        "PL0103",
        &[("name          = each.key", "name          = \"listener\"")],
    ),
    mistake("sql-always-on", "PL0155", &[]),
    mistake(
        "sap-netweaver",
        "PL0157",
        &[("    idle_timeout_in_minutes = 30\n", "")],
    ),
    mistake(
        "sap-netweaver",
        "PL0137",
        &[("    floating_ip             = true\n", "")],
    ),
    mistake(
        "sap-netweaver",
        "PL0127",
        &[("    guest_ports             = each.value.ports\n", "")],
    ),
    mistake("sap-netweaver", "PL0136", &[("62102", "62000")]),
    mistake(
        "sap-netweaver",
        "PL0126",
        &[("frontend.instance[each.key]", "frontend.instance[\"ascs\"]")],
    ),
    mistake(
        "sap-netweaver",
        "PL0122",
        &[(
            "frontend_port           = 0",
            "frontend_port           = 3200",
        )],
    ),
    mistake(
        "network-appliance",
        "PL0123",
        &[
            ("\"Tcp\"\n    frontend_port", "\"All\"\n    frontend_port"),
            ("_port           = 80", "_port           = 0"),
            ("_port            = 80", "_port            = 0"),
        ],
    ),
    mistake(
        "network-appliance",
        "PL0125",
        &[(
            "    floating_ip   = true\n  }\n",
            r#"  }

  rule "web" {
    frontend      = frontend.next_hop
    backend_pools = [backend_pool.inside]
    probe         = probe.appliance
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 80
  }
"#,
        )],
    ),
    mistake(
        "network-appliance",
        "PL0126",
        &[(
            "    floating_ip   = true\n  }\n",
            r#"    floating_ip   = true
  }

  rule "again" {
    frontend      = frontend.next_hop
    backend_pools = [backend_pool.inside]
    probe         = probe.appliance
    protocol      = "All"
    frontend_port = 0
    backend_port  = 0
    floating_ip   = true
  }
"#,
        )],
    ),
    mistake(
        "network-appliance",
        "PL0127",
        &[("    guest_mode            = \"none\"\n", "")],
    ),
    mistake(
        "dual-stack",
        "PL0130",
        &[("backend_pool.vms[each.key]", "backend_pool.vms[\"v4\"]")],
    ),
    mistake(
        "dual-stack",
        "PL0182",
        &[(
            "site.backend_pool.vms[\"v6\"]",
            "site.backend_pool.vms[\"v4\"]",
        )],
    ),
    mistake(
        "other-backend-port",
        "PL0101",
        &[("  rule \"app\" {\n", SECOND_8080_TO_8443)],
    ),
    mistake(
        "other-backend-port",
        "PL0121",
        &[("  rule \"app\" {\n", SECOND_443)],
    ),
    mistake(
        "other-backend-port",
        "PL0147",
        &[("  rule \"app\" {\n", SECOND_WITHOUT_FLOATING)],
    ),
    mistake(
        "dns",
        "PL0148",
        &[(
            "floating_ip   = true\n",
            "floating_ip   = true\n    idle_timeout_in_minutes = 15\n",
        )],
    ),
    mistake("dns", "PL0154", &[("    probe         = probe.dns\n", "")]),
    mistake(
        "dns",
        "PL0138",
        &[
            ("    private_ip_address    = \"10.0.0.53\"\n", ""),
            ("    private_ip_allocation = \"Static\"\n", ""),
        ],
    ),
    mistake(
        "scale-set",
        "PL0154",
        &[("    probe                 = probe.http\n", "")],
    ),
    mistake(
        "scale-set",
        "PL0150",
        &[("    request_path = \"/healthz\"\n", "")],
    ),
    mistake(
        "scale-set",
        "PL0175",
        &[("    disable_outbound_snat = true\n", "")],
    ),
    mistake("adopt", "PL0183", &[("\"web-lb\"", "\"kubernetes\"")]),
    mistake(
        "adopt",
        "PL0132",
        &[(
            "load_balancer \"web\" {\n",
            "load_balancer \"web\" {\n  sku = \"Basic\"\n",
        )],
    ),
    mistake("adopt", "PL0121", &[("  rule \"web\" {\n", SECOND_80)]),
];

const SECOND_8080_TO_8443: &str = r#"  rule "second" {
    frontend              = frontend.app
    backend_pools         = [backend_pool.vms]
    probe                 = probe.app
    protocol              = "Tcp"
    frontend_port         = 8080
    backend_port          = 8443
    floating_ip           = true
    disable_outbound_snat = true
  }

  rule "app" {
"#;

const SECOND_443: &str = r#"  rule "second" {
    frontend              = frontend.app
    backend_pools         = [backend_pool.vms]
    probe                 = probe.app
    protocol              = "Tcp"
    frontend_port         = 443
    backend_port          = 9443
    floating_ip           = true
    disable_outbound_snat = true
  }

  rule "app" {
"#;

const SECOND_WITHOUT_FLOATING: &str = r#"  rule "second" {
    frontend              = frontend.app
    backend_pools         = [backend_pool.vms]
    probe                 = probe.app
    protocol              = "Tcp"
    frontend_port         = 8443
    backend_port          = 8443
    disable_outbound_snat = true
  }

  rule "app" {
"#;

const SECOND_80: &str = r#"  rule "second" {
    frontend              = frontend.web
    backend_pools         = [backend_pool.vms]
    probe                 = probe.http
    protocol              = "Tcp"
    frontend_port         = 80
    backend_port          = 8080
    floating_ip           = true
    disable_outbound_snat = true
  }

  rule "web" {
"#;

#[test]
fn each_mistake_is_named() {
    for Mistake {
        example,
        edits,
        code,
    } in MISTAKES
    {
        let folder = Folder::example(example);
        let file = std::fs::read_dir(folder.path())
            .unwrap()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.to_string_lossy().ends_with(".plim.hcl"))
            .unwrap();
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (from, to) in *edits {
            assert!(
                text.contains(from),
                "{example} {code}: {from:?} is not in it"
            );
            text = text.replace(from, to);
        }
        std::fs::write(&file, text).unwrap();
        let said = folder.real(&["validate", "--json"], &[]).stdout;
        assert!(
            said.contains(&format!("\"{code}\"")),
            "{example}: no {code} in {said}"
        );
    }
}

/// A page promises no code that nothing shows: those of the plan (PL03…) come from guests, and have tests beside the code.
#[test]
fn each_page_lists_the_mistakes_that_are_tried() {
    let tried: BTreeSet<(String, String)> = MISTAKES
        .iter()
        .map(|m| (m.example.to_owned(), m.code.to_owned()))
        .collect();
    let mut listed = BTreeSet::new();
    for example in examples() {
        let page = std::fs::read_to_string(example.join("README.md")).unwrap();
        let (_, table) = page.split_once("## Known mistakes").unwrap();
        for row in table.lines().filter(|line| line.starts_with('|')) {
            let codes = row.split(|c: char| !c.is_ascii_alphanumeric());
            for code in codes.filter(|word| word.starts_with("PL0") && !word.starts_with("PL03")) {
                listed.insert((name(&example), code.to_owned()));
            }
        }
    }
    assert_eq!(listed, tried);
}
