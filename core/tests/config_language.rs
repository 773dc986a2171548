//! The blocks of the language beside resources: variables, dynamic, lifecycle, moved, removed, import, check, data.

use plimsoll_core::config::{Configuration, Ignore, Inputs, SourceSet, Undiscovered, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::member::{MemberInterface, PoolMember};
use plimsoll_core::model::{ArmId, Attr, Diagnostic, ItemKind};

const PROVIDER: &str = "provider \"azure\" {\n  subscription_id = \"s\"\n}\n";

fn read(text: &str, inputs: &Inputs) -> (Option<Configuration>, Vec<Diagnostic>) {
    let mut sources = SourceSet::default();
    sources
        .files
        .insert("a.plim.hcl".into(), format!("{PROVIDER}{text}").into());
    load(&sources, inputs, &NoFiles)
}

fn good(text: &str) -> Configuration {
    let (configuration, problems) = read(text, &Inputs::default());
    configuration.unwrap_or_else(|| panic!("{problems:#?}"))
}

/// Code and the text that the first label points at.
fn bad(text: &str) -> Vec<(String, String)> {
    bad_with(text, &Inputs::default())
}

fn bad_with(text: &str, inputs: &Inputs) -> Vec<(String, String)> {
    let whole = format!("{PROVIDER}{text}");
    let (_, problems) = read(text, inputs);
    problems
        .iter()
        // What Azure would say of these small configurations is another test's business.
        .filter(|p| p.is_error() || p.code == "PL0200")
        .map(|p| {
            let place = p.labels.first().and_then(|l| whole.get(l.span.range()));
            (p.code.clone(), place.unwrap_or_default().to_owned())
        })
        .collect()
}

fn pair(code: &str, place: &str) -> (String, String) {
    (code.to_owned(), place.to_owned())
}

fn given(name: &str, value: &str) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.variables.insert(name.to_owned(), value.to_owned());
    inputs
}

const LB: &str = "resource_group = \"g\"\n  location = \"w\"\n  backend_pool \"p\" {}\n";

#[test]
fn a_variable_has_a_type_defaults_and_conditions() {
    let text = r#"
variable "ports" {
  type     = list(object({ port = number, idle = optional(number, 4) }))
  default  = [{ port = 80 }]
  nullable = false
  validation {
    condition     = length(var.ports) > 0
    error_message = "at least one port"
  }
  validation {
    condition     = alltrue([for p in var.ports : p.port < 1000])
    error_message = "low ports only, not ${var.ports[0].port}"
  }
}
output "idle" { value = var.ports[0].idle }
"#;
    assert_eq!(good(text).outputs["idle"], serde_json::json!(4));
    let (_, problems) = read(text, &given("ports", "[{ port = 2000 }]"));
    assert_eq!(problems[0].code, "PL0119");
    assert_eq!(problems[0].notes, ["low ports only, not 2000"]);
    assert_eq!(
        bad_with(text, &given("ports", "[]"))[0],
        pair("PL0119", "length(var.ports) > 0")
    );
    let (configuration, _) = read(text, &given("ports", "null"));
    assert_eq!(configuration.unwrap().outputs["idle"], serde_json::json!(4));
}

#[test]
fn a_value_nobody_asked_for_is_told_by_where_it_comes_from() {
    let mut inputs = Inputs::default();
    inputs
        .variable_files
        .insert("x".into(), serde_json::json!(1));
    assert_eq!(bad_with("", &inputs), [pair("PL0200", "")]);
    assert!(
        read("", &inputs).0.is_some(),
        "a file may serve several configurations"
    );
    let mut inputs = given("y", "1");
    assert_eq!(bad_with("", &inputs), []);
    inputs.strict.insert("y".into());
    assert_eq!(bad_with("", &inputs), [pair("PL0104", "")]);
}

#[test]
fn an_output_says_that_it_is_sensitive() {
    let text = "variable \"s\" {\n  default = \"x\"\n  sensitive = true\n}\noutput \"o\" {\n  value = var.s\n}\n";
    assert_eq!(bad(text), [pair("PL0201", "var.s")]);
    let text = text.replace("value = var.s", "value = var.s\n  sensitive = true");
    assert_eq!(good(&text).outputs["o"], serde_json::json!("(sensitive)"));
}

#[test]
fn a_dynamic_block_generates_labelled_blocks_that_can_be_referred_to() {
    let text = format!(
        r#"
locals {{ ports = {{ web = 80, tls = 443 }} }}
load_balancer "web" {{
  {LB}
  dynamic "frontend" {{
    for_each = ["a", "b"]
    iterator = f
    labels   = ["f-${{f.value}}"]
    content {{
      subnet = "/s"
    }}
  }}
  dynamic "rule" {{
    for_each = local.ports
    labels   = [rule.key]
    content {{
      frontend      = frontend.f-a
      backend_pools = [backend_pool.p]
      protocol      = "Tcp"
      frontend_port = rule.value
      backend_port  = rule.value
    }}
  }}
}}
"#
    );
    let configuration = good(&text);
    let lb = configuration
        .desired
        .load_balancers
        .values()
        .next()
        .unwrap();
    let names: Vec<&str> = lb.items.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["p", "f-a", "f-b", "tls", "web"]);
    let web = lb.item(ItemKind::Rule, "web").unwrap();
    assert_eq!(web.attributes["frontend_port"], Attr::Int(80));
    assert!(
        web.attributes["frontend"]
            .as_text()
            .unwrap()
            .ends_with("/frontendIPConfigurations/f-a")
    );
}

#[test]
fn a_dynamic_block_that_cannot_be_expanded_is_told_once() {
    let with = |head: &str, dynamic: &str| {
        bad(&format!(
            "{head}load_balancer \"web\" {{\n  {LB}\n  dynamic \"probe\" {{\n{dynamic}\n}}\n}}\n"
        ))
    };
    let content = "content {\n protocol = \"Tcp\"\n port = 1\n }\n";
    let secret = "variable \"s\" {\n default = [\"x\"]\n sensitive = true\n}\n";
    assert_eq!(
        with(
            secret,
            &format!("for_each = var.s\nlabels = [\"a\"]\n{content}")
        ),
        [pair("PL0202", "var.s")]
    );
    assert_eq!(
        with(
            "",
            &format!("for_each = [plantimestamp()]\nlabels = [\"a\"]\n{content}")
        ),
        [pair("PL0202", "[plantimestamp()]")]
    );
    assert_eq!(with("", "for_each = [1]\nlabels = [\"a\"]")[0].0, "PL0202");
    assert_eq!(
        with("", &format!("for_each = [1]\n{content}"))[0].0,
        "PL0202"
    );
    let wrong = with(
        "",
        "for_each = [1]\nlabels = [\"a\"]\ncontent {\n protocol = \"Tpc\"\n port = 1\n}",
    );
    assert!(
        wrong.contains(&pair("PL0107", "\"Tpc\"")),
        "the place is inside content: {wrong:?}"
    );
}

#[test]
fn for_each_in_a_circle_is_a_diagnostic() {
    let text = "public_ip \"a\" {\n  for_each = toset([public_ip.a[\"x\"].name])\n  resource_group = \"g\"\n  location = \"w\"\n}\n";
    assert_eq!(bad(text)[0].0, "PL0112");
}

#[test]
fn lifecycle_is_written_out() {
    let text = "public_ip \"a\" {\n  resource_group = \"g\"\n  location = \"w\"\n  lifecycle {\n    prevent_destroy = true\n    ignore_changes = [tags]\n  }\n}\n";
    let configuration = good(text);
    let lifecycle = &configuration
        .desired
        .public_ips
        .values()
        .next()
        .unwrap()
        .lifecycle;
    assert!(lifecycle.prevent_destroy);
    assert_eq!(
        lifecycle.ignore_changes,
        Ignore::These(["tags".to_owned()].into())
    );
    assert_eq!(
        bad(&text.replace("[tags]", "[tgas]")),
        [pair("PL0105", "tgas")]
    );
    assert_eq!(
        bad(&text.replace("[tags]", "\"all\"")),
        [pair("PL0203", "\"all\"")]
    );
    assert_eq!(
        bad(&text.replace("= true", "= 1 == 1 ? \"x\" : \"y\""))[0].0,
        "PL0203"
    );
    assert_eq!(
        bad(&text.replace("location", "depends_on = [public_ip.b]\n  location")),
        [pair("PL0104", "public_ip.b")]
    );
}

#[test]
fn moved_removed_and_import_name_what_they_may() {
    let lb = format!("load_balancer \"web\" {{\n  {LB}}}\n");
    let with = |text: &str| bad(&format!("{lb}{text}"));
    assert_eq!(
        with("moved {\n from = load_balancer.old\n to = load_balancer.web\n}\n"),
        []
    );
    assert_eq!(
        with(
            "moved {\n from = load_balancer.web.backend_pool.o\n to = load_balancer.web.backend_pool[\"p\"]\n}\n"
        ),
        []
    );
    assert_eq!(
        with("moved {\n from = load_balancer.web\n to = load_balancer.web\n}\n"),
        [pair("PL0205", "load_balancer.web")]
    );
    assert_eq!(
        with("moved {\n from = load_balancer.a\n to = load_balancer.b\n}\n"),
        [pair("PL0205", "load_balancer.b")]
    );
    assert_eq!(
        with("moved {\n from = guest.a\n to = load_balancer.web\n}\n"),
        [pair("PL0205", "load_balancer.web")]
    );
    assert_eq!(
        with("moved {\n from = \"x\"\n to = load_balancer.web\n}\n"),
        [pair("PL0204", "\"x\"")]
    );
    assert_eq!(
        with("removed {\n from = load_balancer.web\n}\n"),
        [pair("PL0206", "load_balancer.web")]
    );
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/web";
    assert_eq!(
        with(&format!(
            "import {{\n to = load_balancer.web\n id = \"{id}\"\n}}\n"
        )),
        []
    );
    let other = format!("\"{id}2\"");
    assert_eq!(
        with(&format!(
            "import {{\n to = load_balancer.web\n id = {other}\n}}\n"
        )),
        [pair("PL0207", &other)]
    );
}

#[test]
fn a_failed_check_is_no_error() {
    let text = "check \"c\" {\n  assert {\n    condition = 1 > 2\n    error_message = \"one is less\"\n  }\n}\n";
    let configuration = good(text);
    assert_eq!(
        configuration.desired.failed_checks[0].message,
        "one is less"
    );
    assert_eq!(
        good(&text.replace("1 > 2", "2 > 1"))
            .desired
            .failed_checks
            .len(),
        0
    );
    assert_eq!(bad("check \"c\" {}\n"), [pair("PL0208", "check \"c\"")]);
}

#[test]
fn a_data_load_balancer_expects_rules_and_lends_its_pools() {
    let text = r#"
data "load_balancer" "tf" {
  name           = "lb"
  resource_group = "g"
  guest_modes    = { Sql = "cluster" }
  expect {
    rule "next" {
      frontend      = "f"
      backend_pools = [backend_pool.vms]
      protocol      = "Tcp"
      frontend_port = 80
      backend_port  = 80
      floating_ip   = true
    }
  }
}
output "pool" { value = data.load_balancer.tf.backend_pool.vms.id }
"#;
    let configuration = good(text);
    let data = &configuration.desired.data_load_balancers["tf"];
    assert_eq!(data.expected.items.len(), 1);
    assert!(data.guest_modes.contains_key("sql"));
    assert_eq!(
        configuration.outputs["pool"],
        serde_json::json!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/backendAddressPools/vms"
        )
    );
    assert_eq!(
        bad(&text.replace("data.load_balancer.tf.", "data.load_balancer.ft."))[0].0,
        "PL0104"
    );
    assert_eq!(
        bad(&text.replace("\"cluster\"", "\"clutser\""))[0].0,
        "PL0107"
    );
}

#[test]
fn a_pool_holds_addresses() {
    let text = r#"
load_balancer "web" {
  resource_group = "g"
  location       = "w"
  backend_pool "p" {
    virtual_network = "/subscriptions/s/vnets/v"
    dynamic "address" {
      for_each = ["10.0.0.4", "10.0.0.5"]
      labels   = ["a${address.key}"]
      content { ip_address = address.value }
    }
  }
}
"#;
    let configuration = good(text);
    let pool = &configuration
        .desired
        .load_balancers
        .values()
        .next()
        .unwrap()
        .items[0];
    let members = [("a0", "10.0.0.4"), ("a1", "10.0.0.5")];
    let members = members.map(|(n, a)| (n.to_owned(), a.to_owned()));
    assert_eq!(pool.attributes["addresses"], Attr::Map(members.into()));
    assert_eq!(bad(&text.replace("10.0.0.5", "10.0.0"))[0].0, "PL0107");
}

#[test]
fn an_instance_is_chosen_by_an_expression() {
    let text = format!(
        r#"
load_balancer "web" {{
  {LB}
  frontend "f" {{
    for_each = {{ a = "10.0.0.4", b = "10.0.0.5" }}
    subnet             = "/s"
    private_ip_address = each.value
  }}
  rule "r" {{
    for_each      = {{ a = 80, b = 81 }}
    frontend      = frontend.f[each.key]
    backend_pools = [backend_pool.p]
    protocol      = "Tcp"
    frontend_port = each.value
    backend_port  = each.value
  }}
}}
"#
    );
    let configuration = good(&text);
    let lb = configuration
        .desired
        .load_balancers
        .values()
        .next()
        .unwrap();
    let frontend = lb.item(ItemKind::Rule, "b").unwrap().attributes["frontend"].clone();
    assert!(
        frontend
            .as_text()
            .unwrap()
            .ends_with("/frontendIPConfigurations/b")
    );
    assert!(!bad(&text.replace("frontend.f[each.key]", "frontend.f[each.value]")).is_empty());
}

/// Guests for whoever is in a pool: what waits is no error, what is wrong beside it still is, and once the members are
/// known each is a guest.
#[test]
fn guests_are_made_for_the_members_of_a_pool() {
    let text = r#"
data "load_balancer" "tf" {
  name           = "lb"
  resource_group = "g"
}
locals {
  linux = { for name, vm in data.load_balancer.tf.backend_pool.vms.members : name => vm if vm.network_interface != null }
}
guest "vm" {
  for_each = local.linux
  os       = "linux"
  dynamic "network_interface" {
    for_each = each.value.network_interfaces
    labels   = ["nic${network_interface.key}"]
    content {
      id               = network_interface.value.id
      ip_configuration = network_interface.value.ip_configuration
      backend_pools    = [data.load_balancer.tf.backend_pool.vms]
    }
  }
  connection "ssh" { host = each.value.private_ip_address }
}
output "how_many" { value = length(local.linux) }
"#;
    let waiting = good(text);
    let pool = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/backendAddressPools/vms";
    let pool = ArmId::new(pool);
    assert_eq!(waiting.undiscovered.pools, [pool.clone()].into());
    assert_eq!(waiting.undiscovered.blocks, ["guest.vm".to_owned()].into());
    assert!(waiting.desired.guests.is_empty());
    assert_eq!(
        waiting.outputs["how_many"],
        serde_json::json!("(known after apply)")
    );
    let misspelt = bad(&text.replace("resource_group = \"g\"", "resource_grup = \"g\""));
    assert!(
        misspelt.contains(&pair("PL0105", "resource_grup")),
        "{misspelt:?}"
    );

    let interface = |name: &str, address: [u8; 4]| MemberInterface {
        id: ArmId::new(format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/{name}"
        )),
        ip_configuration: "ipconfig1".to_owned(),
        private_address: Some(address.into()),
    };
    let member = |name: &str, interfaces: Vec<MemberInterface>| PoolMember {
        name: name.to_owned(),
        os: None,
        machine: None,
        private_address: interfaces.first().and_then(|i| i.private_address),
        interfaces,
    };
    let all = [
        member(
            "a",
            vec![
                interface("n1", [10, 0, 0, 4]),
                interface("n2", [10, 0, 0, 5]),
            ],
        ),
        member("address", Vec::new()),
    ];
    let all = all.map(|member| (member.name.clone(), member));
    let inputs = Inputs {
        members: [(pool, all.into())].into(),
        ..Inputs::default()
    };
    let (configuration, problems) = read(text, &inputs);
    let found = configuration.unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!(found.undiscovered, Undiscovered::default());
    let guests: Vec<(String, usize)> = found
        .desired
        .guests
        .iter()
        .map(|(addr, guest)| (addr.to_string(), guest.interfaces.len()))
        .collect();
    assert_eq!(guests, [("guest.vm[\"a\"]".to_owned(), 2)]);
    assert_eq!(found.outputs["how_many"], serde_json::json!(1));
    // What waits for something else than a pool is still an error, also while a pool is waited for.
    let circle = text.replace("for_each = local.linux", "for_each = local.none");
    assert_eq!(bad(&circle)[0].0, "PL0104");
}
