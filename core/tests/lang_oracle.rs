//! The language against Terraform's own answers: the shared cases where they are at hand, and ours always.

#![expect(
    clippy::disallowed_methods,
    reason = "the cases are files, and tests may read them"
)]

#[expect(dead_code, reason = "cargo xtask oracle uses the rest of it")]
mod terraform;

use plimsoll_core::lang::{Files, Resolved, Scope, Step, Value, function_names};
use plimsoll_core::model::{Diagnostic, Span};
use std::path::{Path, PathBuf};
use terraform::{Case, Layout, Terraform, Verdict, judge, judge_layout};

fn folder(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn wrong(cases: &[Case], scope: &Terraform) -> Vec<String> {
    let differs = cases.iter().filter_map(|case| match judge(case, scope) {
        Verdict::Differs(how) => Some(format!("{}: {} {how}", case.category, case.expr)),
        Verdict::Agrees | Verdict::DecidesEarly => None,
    });
    differs.collect()
}

#[test]
fn agrees_with_terraform_on_the_shared_cases() {
    let shared = folder("../../shared/terraform");
    let Ok(source) = std::fs::read_to_string(shared.join("scope.tf")) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let scope = Terraform::read(&source).unwrap();
    let cases = std::fs::read_to_string(shared.join("eval-cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    let wrong = wrong(&cases, &scope);
    let agreed = cases.len() - wrong.len();
    println!("{agreed} of {} agree\n{}", cases.len(), wrong.join("\n"));
    assert!(
        agreed * 100 >= cases.len() * 98,
        "{agreed} of {} agree:\n{}",
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn agrees_with_our_own_cases() {
    let read = |name: &str| {
        std::fs::read_to_string(folder("testdata/lang").join(name)).expect("a fixture of ours")
    };
    let scope = Terraform::read(&read("scope.hcl")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&read("eval.json")).unwrap();
    let wrong = wrong(&cases, &scope);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let cases: Vec<Layout> = serde_json::from_str(&read("fmt.json")).unwrap();
    for case in cases {
        assert_eq!(judge_layout(&case), Verdict::Agrees, "{:?}", case.input);
    }
}

#[test]
fn formats_as_terraform_does() {
    let Ok(cases) = std::fs::read_to_string(folder("../../shared/terraform/fmt-cases.json")) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let cases: Vec<Layout> = serde_json::from_str(&cases).unwrap();
    for case in &cases {
        assert_eq!(judge_layout(case), Verdict::Agrees, "{}", case.name);
    }
}

/// A few files, for the functions that read them.
struct Shelf;

const SHELF: [(&str, &str); 4] = [
    ("hello.txt", "hello world"),
    ("t.tftpl", "%{ for x in n }-${x}%{ endfor }"),
    (
        "ciphertext.txt",
        include_str!("../../testdata/rsa/ciphertext.txt"),
    ),
    ("key.pem", include_str!("../../testdata/rsa/pkcs8.pem")),
];

impl Files for Shelf {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = path.strip_prefix("/home/me/").unwrap_or(path);
        let found = SHELF.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| "there is no such file".to_owned())
    }

    fn exists(&self, path: &str) -> bool {
        self.read(path).is_ok()
    }

    fn list(&self, _directory: &str, _pattern: &str) -> Result<Vec<String>, String> {
        Ok(vec!["hello.txt".to_owned()])
    }

    fn root(&self) -> Option<String> {
        Some("/conf".to_owned())
    }

    fn home(&self) -> Option<String> {
        Some("/home/me/".to_owned())
    }
}

impl Scope for Shelf {
    fn resolve(&self, _: &str, _: &[Step], _: &Span) -> Result<Resolved, Vec<Diagnostic>> {
        Ok(Resolved {
            value: Value::object(
                [("template".into(), "hello ${name}".into())]
                    .into_iter()
                    .collect(),
            ),
            consumed: 0,
        })
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}

/// The examples are those of Terraform's documentation, or computed by other programs.
#[test]
fn every_function_answers_as_documented() {
    let cases = std::fs::read_to_string(folder("testdata/lang/functions.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| match judge(case, &Shelf) {
            Verdict::Differs(how) => Some(format!("{}: {how}", case.expr)),
            Verdict::Agrees | Verdict::DecidesEarly => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<&str> = function_names()
        .filter(|name| {
            !cases
                .iter()
                .any(|case| case.expr.contains(&format!("{name}(")))
        })
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
