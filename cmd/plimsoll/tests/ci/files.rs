//! Scripts, YAML and roles as files.

use super::examples;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, ending: &str, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, ending, out);
            } else if path.to_string_lossy().ends_with(ending) {
                out.push(path);
            }
        }
    }
    let mut all = Vec::new();
    collect(&examples().join(folder), ending, &mut all);
    all.sort();
    assert!(!all.is_empty(), "{folder} has no {ending}");
    all
}

#[test]
fn scripts_pass_shellcheck() {
    let Ok(output) = Command::new("shellcheck")
        .args(files("scripts", ".sh"))
        .output()
    else {
        println!("skipped: shellcheck is not here");
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// The schemas that GitHub's and Microsoft's editors use, as a package ships them.
#[test]
fn pipelines_match_the_schemas_of_their_hosts() {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/schema-checker/bin/check-jsonschema");
    if !checker.is_file() {
        println!("skipped: cargo xtask test has not installed check-jsonschema");
        return;
    }
    let workflows = files("github/workflows", ".yml");
    let actions = files("github", "action.yml");
    let pipelines = files("azure-devops", ".yml");
    for (schema, files) in [
        ("vendor.github-workflows", workflows),
        ("vendor.github-actions", actions),
        ("vendor.azure-pipelines", pipelines),
    ] {
        let output = Command::new(&checker)
            // A pattern of the Azure schema is none in Unicode mode.
            .args(["--regex-variant", "nonunicode", "--builtin-schema", schema])
            .args(files)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{schema}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Whatever of an expression stands in a script's text is run: inputs must come by the environment.
#[test]
fn no_script_is_made_of_what_others_say() {
    let mut all = files("github", ".yml");
    all.extend(files("azure-devops", ".yml"));
    let mut scripts = 0;
    for path in all {
        let yaml: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        walk(&yaml, &mut |key, text| {
            if ["run", "bash", "inlineScript"].contains(&key) {
                scripts += 1;
                for expression in ["${{", "$("] {
                    let allowed = expression == "$(" && text.contains("$(examples/")
                        || text.contains("$(\"$SCRIPTS");
                    assert!(
                        allowed || !text.contains(expression),
                        "{}: {text}",
                        path.display()
                    );
                }
            }
        });
    }
    assert!(scripts >= 8, "{scripts}");
}

fn walk(value: &serde_yaml_ng::Value, see: &mut impl FnMut(&str, &str)) {
    match value {
        serde_yaml_ng::Value::Mapping(map) => {
            for (key, inner) in map {
                if let (Some(key), Some(text)) = (key.as_str(), inner.as_str()) {
                    see(key, text);
                }
                walk(inner, see);
            }
        }
        serde_yaml_ng::Value::Sequence(list) => list.iter().for_each(|inner| walk(inner, see)),
        _ => {}
    }
}

#[test]
fn roles_give_no_more_than_they_say() {
    let role = |name: &str| -> Vec<String> {
        let path = examples().join(format!("roles/{name}.json"));
        let role: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(role["IsCustom"], true);
        assert_eq!(role["DataActions"], serde_json::json!([]));
        let actions = role["Actions"].as_array().unwrap();
        actions
            .iter()
            .map(|a| a.as_str().unwrap().to_owned())
            .collect()
    };
    let plan = role("plan");
    assert!(
        plan.iter()
            .all(|a| a.ends_with("/read") && !a.contains('*')),
        "{plan:?}"
    );
    let apply = role("apply");
    for action in &plan {
        assert!(apply.contains(action), "apply lacks {action}");
    }
    assert!(
        apply
            .iter()
            .all(|a| !a.contains('*') && !a.contains("runCommand"))
    );
    // Nothing that plimsoll never does.
    assert!(!apply.contains(&"Microsoft.Network/networkInterfaces/delete".to_owned()));
    let guests = role("guests");
    assert!(
        guests.iter().all(|a| a.starts_with("Microsoft.Compute/")),
        "{guests:?}"
    );
}
