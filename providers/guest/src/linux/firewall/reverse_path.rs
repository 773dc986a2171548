//! IPv6 has no `rp_filter` in the kernel. A firewall may do the same: drop on arrival what would not be answered by the
//! interface that it came through. firewalld does so unless told otherwise (`IPv6_rpfilter`).

use super::super::frame::Sections;
use serde_json::Value;

/// The chain that drops, as people call it.
pub(crate) fn strict_for_ipv6(sections: &Sections) -> Option<String> {
    let ok = |name: &str| sections.get(name).and_then(|s| s.ok());
    let by_nftables = ok("nftables").and_then(in_nftables);
    by_nftables.or_else(|| {
        let mut saved = ["ip6tables", "ip6tables_legacy"].into_iter().filter_map(ok);
        let found = saved.any(|text| text.lines().any(in_ip6tables));
        found.then(|| "ip6tables PREROUTING".to_owned())
    })
}

/// `-A PREROUTING -m rpfilter --validmark --invert -j DROP`; a loose one asks for any way back.
fn in_ip6tables(line: &str) -> bool {
    line.starts_with("-A PREROUTING ")
        && line.contains("-m rpfilter")
        && line.contains("--invert")
        && !line.contains("--loose")
        && line.ends_with("-j DROP")
}

/// `meta nfproto ipv6 fib saddr . mark . iif oif missing drop`; without `iif` it is a loose one.
fn in_nftables(text: &str) -> Option<String> {
    let document: Value = serde_json::from_str(text).ok()?;
    let objects = document.get("nftables")?.as_array()?;
    let word = |object: &Value, field: &str| Some(object.get(field)?.as_str()?.to_owned());
    let is_prerouting = |family: &str, table: &str, name: &str| {
        objects
            .iter()
            .filter_map(|object| object.get("chain"))
            .any(|chain| {
                chain["family"] == family
                    && chain["table"] == table
                    && chain["name"] == name
                    && chain["hook"] == "prerouting"
            })
    };
    objects
        .iter()
        .filter_map(|object| object.get("rule"))
        .find_map(|rule| {
            let (family, table) = (word(rule, "family")?, word(rule, "table")?);
            let chain = word(rule, "chain")?;
            let statements = rule.get("expr")?.as_array()?;
            let drops = statements.last()?.get("drop").is_some();
            let reaches_ipv6 =
                matches!(family.as_str(), "inet" | "ip6") && !statements.iter().any(is_for_ipv4);
            (drops
                && reaches_ipv6
                && statements.iter().any(is_strict)
                && is_prerouting(&family, &table, &chain))
            .then(|| format!("{family} {table} {chain}"))
        })
}

fn is_strict(statement: &Value) -> bool {
    let test = &statement["match"];
    let asked = &test["left"]["fib"];
    let flags: Vec<&str> = match &asked["flags"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        _ => Vec::new(),
    };
    asked["result"] == "oif"
        && ["saddr", "iif"].iter().all(|flag| flags.contains(flag))
        && test["right"] == Value::Bool(false)
}

fn is_for_ipv4(statement: &Value) -> bool {
    let test = &statement["match"];
    test["left"]["meta"]["key"] == "nfproto" && test["right"] == "ipv4"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::frame::Section;

    fn sections(name: &str, text: &str) -> Sections {
        let section = Section {
            status: "0".to_owned(),
            text: text.to_owned(),
        };
        [(name.to_owned(), section)].into()
    }

    #[test]
    fn the_strict_form_of_each_tool_is_known() {
        let saved = |rule: &str| sections("ip6tables", &format!("*raw\n{rule}\nCOMMIT\n"));
        let strict = "-A PREROUTING -m rpfilter --validmark --invert -j DROP";
        assert!(strict_for_ipv6(&saved(strict)).is_some());
        for other in [
            "-A PREROUTING -m rpfilter --loose --invert -j DROP",
            "-A PREROUTING -m rpfilter --invert -j LOG",
            "-A INPUT -m rpfilter --invert -j DROP",
        ] {
            assert_eq!(strict_for_ipv6(&saved(other)), None, "{other}");
        }

        // As nft 1.0 prints what firewalld 1.3 makes.
        let firewalld = r#"{"nftables": [
            {"chain": {"family": "inet", "table": "firewalld", "name": "filter_PREROUTING", "type": "filter", "hook": "prerouting", "prio": 10, "policy": "accept"}},
            {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_PREROUTING", "expr": [
                {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv6"}},
                {"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "mark", "iif"]}}, "right": false}},
                {"drop": null}]}}]}"#;
        let of = |text: &str| strict_for_ipv6(&sections("nftables", text));
        assert_eq!(
            of(firewalld).as_deref(),
            Some("inet firewalld filter_PREROUTING")
        );
        for (from, to) in [
            (", \"iif\"]", "]"),
            ("\"right\": \"ipv6\"", "\"right\": \"ipv4\""),
            ("{\"drop\": null}", "{\"counter\": null}"),
            ("\"hook\": \"prerouting\"", "\"hook\": \"forward\""),
        ] {
            let other = firewalld.replace(from, to);
            assert_ne!(other, firewalld);
            assert_eq!(of(&other), None, "{to}");
        }
        assert_eq!(of("Error"), None);
    }
}
