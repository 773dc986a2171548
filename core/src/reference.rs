//! The reference page `docs/reference.md`, written from the same tables that decode, plan and explain.

use crate::explain::pages;
use crate::model::schema::{
    Attribute, Fallback, LOAD_BALANCER, OnChange, PUBLIC_IP, PUBLIC_IP_PREFIX, Shape, Target,
};
use crate::model::{ItemKind, Severity};
use std::fmt::Write as _;

/// The whole page.
pub fn reference() -> String {
    let mut out = String::from(HEAD);
    section(
        &mut out,
        "public_ip_prefix",
        "azurerm_public_ip_prefix",
        PUBLIC_IP_PREFIX,
    );
    section(&mut out, "public_ip", "azurerm_public_ip", PUBLIC_IP);
    section(&mut out, "load_balancer", "azurerm_lb", LOAD_BALANCER);
    for kind in ItemKind::ALL {
        let heading = format!("load_balancer › {}", kind.word());
        section(&mut out, &heading, azurerm(kind), kind.attributes());
    }
    out.push_str(BESIDE);
    out.push_str(GUESTS);
    out.push_str(DATA);
    out.push_str(SETTINGS);
    out.push_str(LANGUAGE);
    codes(&mut out);
    out.push_str(TERRAFORM);
    out
}

const HEAD: &str = "\
<!-- Written by plimsoll itself: change core/src/model/schema/ or the tables of codes, then PLIMSOLL_BLESS=1. -->

# Reference

## Attributes

Each attribute with its property in Azure Resource Manager, its name in azurerm (the newest first: version 5 removes the
older one), what it takes, and what Azure has where it is left out. *Kept* means that what exists stays as it is. A change
is made in place unless the last column says that the resource is replaced.
";

const BESIDE: &str = "
### Attributes that Azure never sees

| attribute | of | takes | default | says |
| --- | --- | --- | --- | --- |
| `name` | every resource and sub-resource | text | the label, or the key of `for_each` | Azure's name |
| `resource_group` | `public_ip`, `load_balancer` | text | required | where it lives |
| `for_each` | every resource and sub-resource | a map or a set of texts | – | one instance for each key |
| `depends_on` | every resource | list of addresses | `[]` | what has to be done before it |
| `lab_address` | `public_ip` | an IP address | – | the address that it gets with `--lab` |
| `ip_address`, `virtual_network` | `address \"NAME\"` of a `backend_pool` | an IP address, an id | required, – | a member by its address |
| `guest_mode` | `frontend` | `\"loopback\"`, `\"cluster\"`, `\"none\"` | `\"loopback\"` | who owns the address inside the guests |
| `guest_ports` | `rule` with protocol All | list of ports, `\"udp/53\"` for UDP | `[]` | what the guests serve |
| `drain` | `load_balancer`, `rule` | a time such as `\"90s\"` | `0` | how long connections may go on before guests lose what a rule used |
| `wait_for_listener` | `rule` | a time such as `\"2m\"` | `0` | how long `apply` waits, before the load balancer is written, until the guests listen where the rule sends |
| `reason`, `on` | `accept \"PL####\"` | text | `reason` is required | why a warning or advice is meant, and where |
";

const GUESTS: &str = "
### Guests

| attribute | of | takes | default | says |
| --- | --- | --- | --- | --- |
| `os` | `guest` | `\"linux\"`, `\"windows\"` | required | how it is read and written |
| `id` | `network_interface` | an id | required | the VM's network interface |
| `ip_configuration` | `network_interface` | text | `\"ipconfig1\"` | which of its IP configurations |
| `backend_pools` | `network_interface` | list of backend pools | `[]` | the pools that it joins |
| `host` | `connection \"ssh\"` | text | required | where ssh goes |
| `user` | `connection \"ssh\"` | text | ssh's own | as whom |
| `port` | `connection \"ssh\"` | 1 to 65535 | ssh's own | |
| `identity_file`, `config_file` | `connection \"ssh\"` | a file | ssh's own | the key, and the configuration of the client |
| `virtual_machine` | `connection \"run_command\"` | an id | the machine of its network interface | whom Azure runs the script in |
| `managed` | `connection \"run_command\"` | `true`, `false` | `false` | each script is a resource of its own for as long as it runs: it does not wait for other scripts in that machine, and takes one of 25 places there |

`connection \"local\"` takes nothing: the guest is the machine that plimsoll runs on.
";

const LANGUAGE: &str = "
### Blocks of the language

| attribute | of | takes | default | says |
| --- | --- | --- | --- | --- |
| `subscription_id` | `provider \"azure\"` | text | `ARM_SUBSCRIPTION_ID` | where everything lives |
| `tenant_id`, `endpoint` | `provider \"azure\"` | text | the environment's, the public cloud's | who signs in, and where |
| `type`, `default`, `description`, `sensitive`, `nullable` | `variable` | as in Terraform | `any`, –, –, `false`, `true` | a value from outside |
| `condition`, `error_message` | `validation` of a `variable`, `assert` of a `check` | true or false, text | required | what must hold, and what is said where it does not |
| `value`, `description`, `sensitive` | `output` | anything, text, `true` or `false` | required, –, `false` | what is shown after a plan |
| any name | `locals` | anything | – | a value with a name |
| `for_each`, `iterator`, `labels` | `dynamic \"BLOCK\"` | a map, set or list; a name; list of texts | required, the block's type, `[]` | one block for each element, written in `content` |
| `prevent_destroy`, `ignore_changes` | `lifecycle` | `true` or `false`, list of attributes or `all` | `false`, `[]` | what a plan may not do |
| `resource_group`, `name` | `data \"load_balancer\"`, `data \"public_ip\"`, `data \"public_ip_prefix\"` | text | required, the label | what someone else manages |
| `guest_modes`, `guest_ports` | `data \"load_balancer\"` | map of frontends to modes, of rules to ports | `{}` | what its owner's rules do not say |
| `from`, `to` | `moved` | addresses | required | the old name and the new one |
| `from` | `removed` | an address | required | what is no longer declared; `destroy` in its `lifecycle` says what becomes of it |
| `to`, `id` | `import` | an address, an id | required | what the block must be in Azure |
";

const DATA: &str = "
### `data`: what someone else manages

It is read and never written.

| reference | is |
| --- | --- |
| `data.load_balancer.NAME.backend_pool.POOL` | a pool to name in a guest's `backend_pools`; so with `frontend`, `probe` and the others |
| `data.load_balancer.NAME.backend_pool.POOL.members` | a map of who is in the pool, for the `for_each` of a `guest`: known once the pool was read |
| `data.public_ip.NAME` | a public IP address for a frontend |
| `data.public_ip_prefix.NAME` | a prefix for a frontend that outbound rules use |

A key of `members` is the name of the virtual machine, of the instance (`SCALESET_INSTANCE`), or of the address (in a pool of
addresses); with the resource group before it where two have the same name. Each value has:

| attribute | says |
| --- | --- |
| `name` | the key, without a resource group |
| `virtual_machine` | id of the virtual machine or instance; null of an address, and of an interface that no machine holds |
| `instance_id` | an instance's number in its scale set, else null |
| `os` | `linux` or `windows`, as its disk says; null of an address, and where Azure does not say |
| `network_interface`, `ip_configuration` | its place in the pool; null of an address |
| `private_ip_address` | the VM's own address |
| `network_interfaces` | all its places in the pool, each with `id`, `ip_configuration` and `private_ip_address` |
";

const SETTINGS: &str = "
### The `plimsoll` block

| attribute | of | takes | default | says |
| --- | --- | --- | --- | --- |
| `required_version` | `plimsoll` | a version constraint such as `\">= 0.1\"` | – | which plimsoll may read this |
| `deployment` | `plimsoll` | 1 to 32 of a-z, 0-9 and - | `\"default\"` | what guests and firewall rules are marked with |
| `path` | `backend \"local\"` | a file | `\"plimsoll.state.json\"` | where the state is kept |
| `account` | `backend \"azblob\"` | name of a storage account | required | where the state is kept; who we are to it comes from the environment |
| `container` | `backend \"azblob\"` | name of a container | required | |
| `key` | `backend \"azblob\"` | name of a blob | required | |
| `endpoint` | `backend \"azblob\"` | a URL | `https://ACCOUNT.blob.core.windows.net` | another cloud, or an emulator on this machine |
| `max_parallel` | `rollout` | 1 to 5000 | the engine's | how many guests are worked on at the same time |
| `max_unavailable` | `rollout` | 1 to 5000 | no limit | how many members of one pool may be in work or have failed at the same time |
";

const TERRAFORM: &str = "
## Differences from Terraform

Expressions mean what they mean in Terraform: types and conversions, unknown and sensitive values, functions. `cargo xtask
oracle DIR` compares with recorded answers of Terraform and prints each disagreement. What is different, and why:

| what | here | Terraform | why |
| --- | --- | --- | --- |
| `&&`, `||` | a left side that decides leaves the right one unevaluated | the same since 1.12; before, an error or unknown on the right was reported | the newer behaviour lets a condition guard what follows |
| provider functions (`provider::…`) | none | since 1.8 | there are no plugins |
| `timestamp`, `plantimestamp`, `uuid`, `bcrypt` | not in planned attributes | known only after apply, or different at each run | a plan that is not the same twice cannot be approved |
| `count`, `module`, `resource` | none | blocks and arguments | `for_each` has stable keys; modules come later |
| `terraform`, `path` | none | objects | files are read relative to the directory of the configuration |
| a template of one interpolation within another (`fmt`) | unwrapped in one run | the second run unwraps the inner one | formatting twice changes nothing |
| a reference to one sub-resource of a load balancer | `frontend.green` within, `load_balancer.web.frontend.green` outside | ids and names by attribute | sub-resources are blocks of the load balancer, as in Azure |
";

fn azurerm(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Frontend => "azurerm_lb › frontend_ip_configuration",
        ItemKind::BackendPool => "azurerm_lb_backend_address_pool",
        ItemKind::Probe => "azurerm_lb_probe",
        ItemKind::Rule => "azurerm_lb_rule",
        ItemKind::InboundNatRule => "azurerm_lb_nat_rule",
        ItemKind::OutboundRule => "azurerm_lb_outbound_rule",
    }
}

fn section(out: &mut String, heading: &str, azurerm: &str, table: &[Attribute]) {
    let _ = write!(out, "\n### {heading}\n\nIn azurerm: `{azurerm}`.\n\n");
    if table.is_empty() {
        out.push_str("It has no attributes of its own: membership lives on the guests' network interfaces.\n");
        return;
    }
    out.push_str("| attribute | ARM property | azurerm | takes | default | says |\n| --- | --- | --- | --- | --- | --- |\n");
    for attribute in table {
        let azurerm: Vec<String> = attribute.azurerm.iter().map(|n| format!("`{n}`")).collect();
        let replaces = match attribute.on_change {
            OnChange::Update => "",
            OnChange::Replace => " **A change replaces.**",
        };
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {} | {} | {} | {}{replaces} |",
            attribute.name,
            attribute.arm,
            if azurerm.is_empty() {
                "–".to_owned()
            } else {
                azurerm.join(", ")
            },
            takes(attribute.shape),
            default(attribute.default),
            attribute.about,
        );
    }
}

fn takes(shape: Shape) -> String {
    match shape {
        Shape::Bool => "`true` or `false`".to_owned(),
        Shape::Int(low, high) => format!("{low} to {high}"),
        Shape::Text => "text".to_owned(),
        Shape::Choice(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        Shape::Texts => "list of texts".to_owned(),
        Shape::Id(target) => one(target),
        Shape::Ids(target) => format!("list of: {}", one(target)),
        Shape::Tags => "map of texts".to_owned(),
        Shape::Addresses => "map of names to addresses".to_owned(),
    }
}

fn one(target: Target) -> String {
    match target {
        Target::Item(kind) => format!("`{}.NAME`, or a name in Azure", kind.word()),
        Target::PublicIp => "`public_ip.NAME`, or an id".to_owned(),
        Target::PublicIpPrefix => {
            "`public_ip_prefix.NAME`, `data.public_ip_prefix.NAME`, or an id".to_owned()
        }
        Target::Foreign => "an id".to_owned(),
    }
}

fn default(fallback: Fallback) -> String {
    match fallback {
        Fallback::Required => "required".to_owned(),
        Fallback::Absent => "–".to_owned(),
        Fallback::Kept => "*kept*".to_owned(),
        Fallback::Bool(value) => format!("`{value}`"),
        Fallback::Int(value) => format!("`{value}`"),
        Fallback::Text(value) => format!("`\"{value}\"`"),
    }
}

fn codes(out: &mut String) {
    out.push_str(
        "\n## Codes\n\n`plimsoll explain CODE` shows the page of each. PL0001 to PL0009 are about reading files and variables.\n\n\
         | code | severity | what | known from |\n| --- | --- | --- | --- |\n",
    );
    for page in pages() {
        let severity = match page.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        };
        let source = page.source.unwrap_or("the language");
        let _ = writeln!(
            out,
            "| {} | {severity} | {} | {source} |",
            page.code, page.title
        );
    }
}
