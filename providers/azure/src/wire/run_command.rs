//! Run Command: a managed run command as a resource, and what the action printed.

use super::Body;
use super::read_only::{strip_properties, strip_resource};
use serde_json::{Value, json};

/// A managed run command: a resource below its virtual machine.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedRunCommand {
    /// How it went; only a GET with `$expand=instanceView` shows it.
    pub view: Option<InstanceView>,
    /// Everything that one may write.
    pub rest: Body,
}

/// Its own account of a script, other than the provisioning state, which says `Succeeded` of a script that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceView {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `TimedOut`, `Canceled` or `Unknown`.
    pub state: String,
    pub message: String,
    pub exit_code: Option<i32>,
    pub output: String,
    pub error: String,
}

/// What is left of what a script printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    pub stdout: String,
    pub stderr: String,
    /// Only a managed run command tells.
    pub exit_code: Option<i32>,
}

impl ManagedRunCommand {
    /// One that runs this script and stops it after so many seconds.
    pub fn of_script(location: Option<&Value>, script: &str, seconds: u64) -> Self {
        let mut rest = Body::new();
        if let Some(location) = location {
            rest.insert("location".to_owned(), location.clone());
        }
        let properties = json!({
            "source": { "script": script },
            "timeoutInSeconds": seconds,
            "asyncExecution": false,
        });
        rest.insert("properties".to_owned(), properties);
        Self { view: None, rest }
    }
}

pub fn decode_run_command(document: &Body) -> ManagedRunCommand {
    let mut rest = document.clone();
    let view = rest
        .get("properties")
        .and_then(|p| p.get("instanceView"))
        .filter(|view| view.is_object())
        .map(instance_view);
    strip_resource(&mut rest);
    strip_properties(&mut rest, &["instanceView"]);
    ManagedRunCommand { view, rest }
}

fn instance_view(view: &Value) -> InstanceView {
    let text = |name: &str| {
        let text = view.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let exit_code = view.get("exitCode").and_then(Value::as_i64);
    InstanceView {
        state: text("executionState"),
        message: text("executionMessage"),
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
        output: text("output"),
        error: text("error"),
    }
}

/// The body of a PUT.
pub fn encode_run_command(command: &ManagedRunCommand) -> Body {
    command.rest.clone()
}

/// `properties.output.value` of an operation, `output` in older versions, or `value` of a `Location`.
pub fn decode_run_command_output(said: &Value) -> Option<Printed> {
    let items = [
        said.pointer("/properties/output/value"),
        said.pointer("/properties/output"),
        said.pointer("/output/value"),
        said.get("output"),
        said.get("value"),
    ];
    let items = items.into_iter().flatten().find_map(Value::as_array)?;
    let text = |item: &Value, name: &str| {
        let text = item.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut printed = Printed::default();
    for item in items {
        let (code, message) = (text(item, "code"), text(item, "message"));
        if code.contains("/StdOut/") {
            printed.stdout = message;
        } else if code.contains("/StdErr/") {
            printed.stderr = message;
        } else {
            (printed.stdout, printed.stderr) = streams(&message);
        }
    }
    (!items.is_empty()).then_some(printed)
}

/// Linux: `Enable succeeded: \n[stdout]\n…\n[stderr]\n…` in one text, of which the beginning may be cut off.
fn streams(message: &str) -> (String, String) {
    let rest = message
        .split_once("[stdout]\n")
        .map_or(message, |(_, rest)| rest);
    // The last one: what a script prints may look like the line between the two.
    match rest.rsplit_once("\n[stderr]\n") {
        Some((stdout, stderr)) => (stdout.to_owned(), stderr.to_owned()),
        None => (rest.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_systems_and_both_versions() {
        let linux = json!([{ "code": "ProvisioningState/succeeded", "message": "Enable succeeded: \n[stdout]\na\nb\n\n[stderr]\nc" }]);
        let windows = json!([
            { "code": "ComponentStatus/StdOut/succeeded", "message": "a\nb\n" },
            { "code": "ComponentStatus/StdErr/succeeded", "message": "c" },
        ]);
        let want = Printed {
            stdout: "a\nb\n".into(),
            stderr: "c".into(),
            exit_code: None,
        };
        for items in [linux, windows] {
            for said in [
                json!({ "status": "Succeeded", "properties": { "output": { "value": items } } }),
                json!({ "status": "Succeeded", "properties": { "output": items } }),
                json!({ "value": items }),
            ] {
                assert_eq!(
                    decode_run_command_output(&said).as_ref(),
                    Some(&want),
                    "{said}"
                );
            }
        }
        let nothing = json!({ "status": "Succeeded" });
        assert_eq!(decode_run_command_output(&nothing), None);
    }

    #[test]
    fn a_script_may_print_what_looks_like_the_frame() {
        let message = "Enable succeeded: \n[stdout]\nx\n[stderr]\ny\n[stderr]\nz";
        assert_eq!(streams(message), ("x\n[stderr]\ny".into(), "z".into()));
    }
}
