//! The binary as it is typed, as far as it goes without a lab and without Azure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

const CONFIGURATION: &str = r#"plimsoll {
  deployment = "web"

  backend "local" {
    path = "web.plimsoll.json"
  }
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

public_ip "green" {
  resource_group = "rg-web"
  location       = "westeurope"
}
"#;

fn plimsoll(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_valid_configuration_is_said_to_be_valid() {
    let directory = directory(&[("web.plim.hcl", CONFIGURATION.as_bytes())]);
    let output = plimsoll(directory.path(), &["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).starts_with("Valid"));
    let json: serde_json::Value =
        serde_json::from_slice(&plimsoll(directory.path(), &["validate", "--json"]).stdout)
            .unwrap();
    assert_eq!(json["valid"], true);
}

#[test]
fn every_kind_of_bad_input_is_an_error_with_a_code_and_a_place_and_writes_nothing() {
    let with_mark = format!("\u{feff}{}", CONFIGURATION.replace('\n', "\r\n"));
    let cases: &[(&str, &[u8], &str)] = &[
        ("not UTF-8", b"a = \"\xe4\"\n", "PL0003"),
        ("syntax", b"plimsoll {\n", "PL0010"),
        (
            "unknown block",
            b"load_balancr \"web\" {}\n",
            "web.plim.hcl:1:1",
        ),
    ];
    for (name, bytes, expected) in cases {
        let directory = directory(&[("web.plim.hcl", bytes)]);
        for verb in ["validate", "plan", "drift", "map", "destroy"] {
            let output = plimsoll(directory.path(), &[verb]);
            assert_eq!(output.status.code(), Some(1), "{name}, {verb}");
            assert!(
                err(&output).contains(expected),
                "{name}, {verb}: {}",
                err(&output)
            );
        }
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            1,
            "{name}"
        );
    }
    let directory = directory(&[("web.plim.hcl", with_mark.as_bytes())]);
    assert_eq!(
        plimsoll(directory.path(), &["validate"]).status.code(),
        Some(0)
    );
    assert_eq!(
        plimsoll(&directory.path().join("gone"), &["plan"])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn wrong_usage_is_an_error_and_never_looks_like_changes() {
    let directory = directory(&[]);
    for arguments in [
        &["--nope"][..],
        &[],
        &["plan", "--release-addresses"],
        &["explain", "PL9999"],
    ] {
        let output = plimsoll(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(!err(&output).is_empty());
    }
    assert_eq!(
        plimsoll(directory.path(), &["--help"]).status.code(),
        Some(0)
    );
}

#[test]
fn a_file_is_formatted_once() {
    const BEFORE: &[u8] = b"plimsoll {\r\ndeployment=\"x\" # why\r\n}\r\n";
    const AFTER: &[u8] = b"plimsoll {\r\n  deployment = \"x\" # why\r\n}\r\n";
    let directory = directory(&[("web.plim.hcl", BEFORE)]);
    let run = |arguments: &[&str]| plimsoll(directory.path(), arguments);
    let bytes = || std::fs::read(directory.path().join("web.plim.hcl")).unwrap();
    let checked = run(&["fmt", "--check"]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(out(&checked).contains("web.plim.hcl"), "{}", out(&checked));
    let compared = run(&["fmt", "--check", "--diff"]);
    assert_eq!(compared.status.code(), Some(2));
    let diff = out(&compared).replace('\r', "");
    assert!(diff.contains("-deployment=\"x\" # why\n"), "{diff}");
    assert!(diff.contains("+  deployment = \"x\" # why\n"), "{diff}");
    assert_eq!(bytes(), BEFORE, "--check writes nothing");
    // The difference alone is no reason to leave the file as it is.
    let written = run(&["fmt", "--diff"]);
    assert_eq!(written.status.code(), Some(0));
    assert!(out(&written).contains("+  deployment"), "{}", out(&written));
    assert_eq!(bytes(), AFTER, "line ends stay as they are");
    for arguments in [["fmt", "--check"], ["fmt", "--diff"]] {
        let again = run(&arguments);
        assert_eq!(again.status.code(), Some(0));
        assert!(!out(&again).contains("deployment"), "{}", out(&again));
    }
    assert_eq!(bytes(), AFTER);
    std::fs::create_dir(directory.path().join("web")).unwrap();
    let folder = run(&["fmt", "web"]);
    assert_eq!(folder.status.code(), Some(1));
    let said = String::from_utf8_lossy(&folder.stderr).into_owned();
    assert!(said.contains("web fmt formats what is in it"), "{said}");
}

/// As in Terraform: the environment, `plimsoll.plimvars`, `*.auto.plimvars` by their names, and last `--var` and
/// `--var-file` in the order in which they were typed.
#[test]
fn the_last_to_speak_of_a_variable_is_heard() {
    let configuration = "provider \"azure\" {\n  subscription_id = \"s\"\n}\n\
                         variable \"said\" {\n  default = \"default\"\n}\n\
                         variable \"wanted\" {\n  validation {\n    condition     = var.said == var.wanted\n    \
                         error_message = \"heard ${var.said}\"\n  }\n}\n";
    let files: [(&str, &str); 7] = [
        ("web.plim.hcl", configuration),
        ("plimsoll.plimvars", "said = \"plimvars\"\n"),
        ("plimsoll.plimvars.json", "{ \"said\": \"plimvars.json\" }"),
        ("b.auto.plimvars", "said = \"b\"\n"),
        ("a.auto.plimvars", "said = \"a\"\n"),
        ("c.auto.plimvars.json", "{ \"said\": \"c\" }"),
        ("typed.plimvars", "said = \"typed\"\n"),
    ];
    type Row<'a> = (usize, &'a [&'a str], Option<&'a str>, &'a str);
    let rows: [Row<'_>; 9] = [
        (1, &[], None, "default"),
        (1, &[], Some("environment"), "environment"),
        (2, &[], Some("environment"), "plimvars"),
        (3, &[], Some("environment"), "plimvars.json"),
        (4, &[], Some("environment"), "b"),
        (5, &[], Some("environment"), "b"),
        (6, &[], Some("environment"), "c"),
        (7, &["--var-file", "typed.plimvars"], None, "typed"),
        (
            7,
            &[
                "--var",
                "said=var",
                "--var-file=typed.plimvars",
                "--var=said=last",
            ],
            Some("environment"),
            "last",
        ),
    ];
    for (files_there, arguments, environment, heard) in rows {
        let there: Vec<(&str, &[u8])> = files[..files_there]
            .iter()
            .map(|(name, text)| (*name, text.as_bytes()))
            .collect();
        let directory = directory(&there);
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(["validate", "--var", &format!("wanted={heard}")])
            .args(arguments)
            .current_dir(directory.path())
            .env_clear();
        if let Some(environment) = environment {
            command.env("PLIMSOLL_VAR_said", environment);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{heard}: {}", err(&output));
    }
}

#[test]
fn a_plan_file_that_is_none_is_refused_with_the_way_out() {
    let directory = directory(&[
        ("web.plim.hcl", CONFIGURATION.as_bytes()),
        ("x.plim", b"{}"),
    ]);
    for (file, expected) in [
        ("x.plim", "not a saved plan"),
        ("gone.plim", "cannot read the plan"),
    ] {
        let output = plimsoll(directory.path(), &["show", file]);
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains(expected), "{}", err(&output));
        assert!(err(&output).contains("plan --out"));
    }
}

#[test]
fn colour_only_when_it_is_asked_for() {
    let directory = directory(&[("web.plim.hcl", b"x {}\n")]);
    assert!(!err(&plimsoll(directory.path(), &["validate"])).contains('\u{1b}'));
    assert!(
        err(&plimsoll(
            directory.path(),
            &["validate", "--color", "always"]
        ))
        .contains('\u{1b}')
    );
}

const GUEST: &str = r#"
load_balancer "web" {
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "internal" {
    subnet             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/web/subnets/web"
    private_ip_address = "10.0.0.100"
  }

  backend_pool "vms" {}

  rule "web" {
    frontend      = frontend.internal
    backend_pools = [backend_pool.vms]
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 8080
    floating_ip   = true
  }
}

guest "vm" {
  for_each = toset(["a", "b"])
  os       = "linux"

  network_interface "main" {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/${each.key}"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = each.key
  }
}
"#;

/// Nobody is asked for what the configuration says: neither Azure nor the guest.
#[test]
fn the_script_of_a_guest_is_data_and_what_is_unknown_is_said() {
    let whole = format!("{CONFIGURATION}{GUEST}");
    let directory = directory(&[("web.plim.hcl", whole.as_bytes())]);
    let script = |more: &[&str]| {
        let arguments = [&["guest", "script", "vm[\"a\"]"], more].concat();
        plimsoll(directory.path(), &arguments)
    };
    let output = script(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(err(&output), "");
    let text = out(&output);
    for line in [
        "# plimsoll: guest.vm[\"a\"], deployment web.",
        "#   holds address 10.0.0.100",
        "\"$1_address\" 10.0.0.100/32",
        "'firewall tcp port 8080 to 10.0.0.100'",
        "read_record 'web' 'guest script' 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(out(&script(&["--undo"])).contains("#   lets go of address 10.0.0.100"));
    let json: serde_json::Value = serde_json::from_slice(&script(&["--json"]).stdout).unwrap();
    assert_eq!(
        (&json["complete"], json["script"].as_str()),
        (&true.into(), Some(text.as_str()))
    );

    let stranger = plimsoll(directory.path(), &["guest", "script", "vm"]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(
        err(&stranger).contains("It has guest.vm[\"a\"], guest.vm[\"b\"]."),
        "{}",
        err(&stranger)
    );

    let public = whole.replace("private_ip_address = \"10.0.0.100\"\n", "");
    std::fs::write(directory.path().join("web.plim.hcl"), public).unwrap();
    let output = script(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(
        err(&output).contains(
            "Not known yet, and so not in the script: the address of internal, for rule \"web\"."
        ),
        "{}",
        err(&output)
    );
    let windows = whole.replace("\"linux\"", "\"windows\"");
    std::fs::write(directory.path().join("web.plim.hcl"), windows).unwrap();
    // Its script names interfaces by their index, so this machine would have to be read.
    let output = script(&[]);
    assert_ne!(output.status.code(), Some(0));
    assert!(out(&output).is_empty() && !err(&output).is_empty());
}
