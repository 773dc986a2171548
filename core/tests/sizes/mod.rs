//! Configurations of any size, in the proportions of Azure's limits: 15 rules, 6 frontends and 10 guests for each 1 of
//! scale, in 5 pools.

use std::fmt::Write as _;

const HEAD: &str = r#"provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}
"#;

const POOLS: usize = 5;

fn frontend_address(number: usize) -> String {
    format!("10.9.{}.{}", number / 250, number % 250 + 4)
}

const SUBNET: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s";
const NIC: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces";

/// Few blocks with `for_each`.
pub fn each(scale: usize) -> String {
    let (rules, frontends, guests) = (scale * 15, scale * 6, scale * 10);
    format!(
        r#"{HEAD}
locals {{
  numbers   = flatten([for i in range({scale}) : [for j in range(15) : i * 15 + j]])
  frontends = {{ for i in local.numbers : "f${{i}}" => "10.9.${{floor(i / 250)}}.${{i % 250 + 4}}" if i < {frontends} }}
  rules     = {{ for i in local.numbers : "r${{i}}" => {{ frontend = "f${{i % {frontends}}}", pool = "p${{i % {POOLS}}}", port = 1000 + i }} if i < {rules} }}
  guests    = {{ for i in local.numbers : "g${{i}}" => "p${{i % {POOLS}}}" if i < {guests} }}
}}

load_balancer "web" {{
  resource_group = "g"
  location       = "westeurope"

  frontend "f" {{
    for_each           = local.frontends
    subnet             = "{SUBNET}"
    private_ip_address = each.value
  }}

  backend_pool "p" {{
    for_each = toset([for i in range({POOLS}) : "p${{i}}"])
  }}

  probe "tcp" {{
    protocol = "Tcp"
    port     = 8080
  }}

  rule "r" {{
    for_each      = local.rules
    frontend      = frontend.f[each.value.frontend]
    backend_pools = [backend_pool.p[each.value.pool]]
    probe         = probe.tcp
    protocol      = "Tcp"
    frontend_port = each.value.port
    backend_port  = each.value.port
    floating_ip   = true
  }}
}}

guest "g" {{
  for_each = local.guests
  os       = "linux"

  network_interface "main" {{
    id               = "{NIC}/${{each.key}}"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.p[each.value]]
  }}

  connection "ssh" {{
    host = each.key
  }}
}}
"#
    )
}

/// The same, block by block.
pub fn written(scale: usize) -> String {
    let mut frontends = String::new();
    for i in 0..scale * 6 {
        let address = frontend_address(i);
        write!(
            frontends,
            "\n  frontend \"f{i}\" {{\n    subnet                     = \"{SUBNET}\"\n    \
             private_ip_address         = \"{address}\"\n    private_ip_address_version = \"IPv4\"\n  }}\n"
        )
        .expect("writing to a string");
    }
    around(&frontends, scale)
}

/// As written out, with frontends that a `dynamic` block generates: each rule refers to one of them by its label.
pub fn dynamic(scale: usize) -> String {
    let frontends = format!(
        r#"
  dynamic "frontend" {{
    for_each = {{ for i in range({}) : "f${{i}}" => "10.9.${{floor(i / 250)}}.${{i % 250 + 4}}" }}
    labels   = [frontend.key]
    content {{
      subnet             = "{SUBNET}"
      private_ip_address = frontend.value
    }}
  }}
"#,
        scale * 6
    );
    around(&frontends, scale)
}

/// Everything but the frontends, block by block.
fn around(frontend_blocks: &str, scale: usize) -> String {
    let (rules, frontends, guests) = (scale * 15, scale * 6, scale * 10);
    let mut text = String::from(HEAD);
    text.push_str(
        "\nload_balancer \"web\" {\n  resource_group = \"g\"\n  location       = \"westeurope\"\n",
    );
    text.push_str(frontend_blocks);
    for i in 0..POOLS {
        write!(text, "\n  backend_pool \"p{i}\" {{}}\n").expect("writing to a string");
    }
    text.push_str("\n  probe \"tcp\" {\n    protocol = \"Tcp\"\n    port     = 8080\n  }\n");
    for i in 0..rules {
        let (frontend, pool, port) = (i % frontends, i % POOLS, 1000 + i);
        write!(
            text,
            "\n  # Rule number {i}.\n  rule \"r{i}\" {{\n    frontend                = frontend.f{frontend}\n    \
             backend_pools           = [\n      backend_pool.p{pool},\n    ]\n    probe                   = probe.tcp\n    \
             protocol                = \"Tcp\"\n    frontend_port           = {port}\n    backend_port            = {port}\n    \
             floating_ip             = true\n    idle_timeout_in_minutes = 15\n    enable_tcp_reset        = true\n    \
             load_distribution       = \"Default\"\n    disable_outbound_snat   = true\n  }}\n"
        )
        .expect("writing to a string");
    }
    text.push_str("}\n");
    for i in 0..guests {
        let pool = i % POOLS;
        write!(
            text,
            "\n# Guest number {i}.\nguest \"g{i}\" {{\n  os = \"linux\"\n\n  network_interface \"main\" {{\n    \
             id               = \"{NIC}/g{i}\"\n    ip_configuration = \"ipconfig1\"\n    \
             backend_pools    = [\n      load_balancer.web.backend_pool.p{pool},\n    ]\n  }}\n\n  \
             connection \"ssh\" {{\n    host = \"g{i}\"\n    port = 22\n    user = \"azureuser\"\n    # The port is ssh's own.\n    # The user is the image's own.\n  }}\n}}\n"
        )
        .expect("writing to a string");
    }
    text
}
