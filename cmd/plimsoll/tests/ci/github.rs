//! Comments and issues of GitHub, kept by a `gh` that is a few lines of jq.

use super::{fake, script, succeeds};
use serde_json::Value;
use std::path::Path;

/// `gh api [--paginate] [--method M] PATH [--input -]` over two files, comments.json and issues.json.
const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
method=GET body=null path=
[[ $1 == api ]] && shift
while (($#)); do
  case $1 in
    --paginate) ;;
    --method) method=$2; shift ;;
    --input) body=$(cat); shift ;;
    *) path=$1 ;;
  esac
  shift
done
echo "$method $path" >>log
edit() { jq --argjson body "$body" "${@:2}" "$1" >"$1.new" && mv "$1.new" "$1"; }
user='{login: "github-actions[bot]"}'
case "$method $path" in
  "GET repos/o/r/issues/7/comments") cat comments.json ;;
  "POST repos/o/r/issues/7/comments") edit comments.json ". + [{id: (length + 1), user: $user} + \$body]" ;;
  "PATCH repos/o/r/issues/comments/"*) edit comments.json --argjson id "${path##*/}" 'map(if .id == $id then . + $body else . end)' ;;
  "GET repos/o/r/issues?state=open&labels=plimsoll-drift") jq '[.[] | select(.state == "open")]' issues.json ;;
  "POST repos/o/r/issues") edit issues.json ". + [{number: (length + 1), user: $user, state: \"open\", said: []} + \$body]" ;;
  "POST repos/o/r/issues/"*/comments) n=${path%/comments}; edit issues.json --argjson n "${n##*/}" 'map(if .number == $n then .said += [$body.body] else . end)' ;;
  "PATCH repos/o/r/issues/"*) edit issues.json --argjson n "${path##*/}" 'map(if .number == $n then . + $body else . end)' ;;
  *) echo "the fake knows no $method $path" >&2; exit 1 ;;
esac
"#;

struct GitHub {
    folder: tempfile::TempDir,
}

impl GitHub {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fake(folder.path(), "gh", GH);
        let github = Self { folder };
        github.write("comments.json", "[]");
        github.write("issues.json", "[]");
        github
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn run(&self, name: &str, arguments: &[&str]) {
        succeeds(
            script(name, self.path())
                .args(arguments)
                .env("GITHUB_REPOSITORY", "o/r"),
        );
    }
}

#[test]
fn a_pull_request_has_one_comment_that_is_updated() {
    let github = GitHub::new();
    // Anybody may write our first line; only our own comment is ours.
    let theirs =
        r#"[{"id": 1, "user": {"login": "mallory"}, "body": "<!-- plimsoll plan web -->\nmine"}]"#;
    github.write("comments.json", theirs);
    github.write(
        "plan.md",
        "<!-- plimsoll plan web -->\n### Adds rule `a` \"quoted\" $(id)\n",
    );
    github.run("github-comment.sh", &["7", "plan.md"]);
    github.write("plan.md", "<!-- plimsoll plan web -->\n### Adds rule `b`\n");
    github.run("github-comment.sh", &["7", "plan.md"]);
    github.write("other.md", "<!-- plimsoll plan other -->\n### No changes\n");
    github.run("github-comment.sh", &["7", "other.md"]);
    let comments = github.read("comments.json");
    let bodies: Vec<&str> = comments
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["body"].as_str().unwrap())
        .collect();
    assert_eq!(
        bodies,
        [
            "<!-- plimsoll plan web -->\nmine",
            "<!-- plimsoll plan web -->\n### Adds rule `b`\n",
            "<!-- plimsoll plan other -->\n### No changes\n",
        ]
    );
}

#[test]
fn drift_is_one_issue_that_opens_changes_and_closes() {
    let github = GitHub::new();
    let drift = |what: &str, at: &str| {
        format!(
            "<!-- plimsoll drift web -->\n### 1 difference\n- {what}\n\n<sub>plimsoll 0.1.0 · read at {at}</sub>\n"
        )
    };
    let run = |word: &str, text: &str| {
        github.write("drift.md", text);
        github.run("github-issue.sh", &[word, "drift.md"]);
        github.read("issues.json")
    };
    assert_eq!(run("none", &drift("nothing", "1")), serde_json::json!([]));
    let opened = run("drift", &drift("address missing", "2"));
    assert_eq!(opened[0]["title"], "Drift in web");
    assert_eq!(opened[0]["labels"][0], "plimsoll-drift");
    // The same again, an hour later: nobody hears of it.
    assert_eq!(run("drift", &drift("address missing", "3")), opened);
    // What could not be read neither opens nor closes.
    assert_eq!(run("unread", &drift("", "4")), opened);
    let changed = run("drift", &drift("firewall closed", "5"));
    assert!(
        changed[0]["body"]
            .as_str()
            .unwrap()
            .contains("firewall closed")
    );
    assert_eq!(changed[0]["said"].as_array().unwrap().len(), 1);
    let closed = run("none", &drift("", "6"));
    assert_eq!(
        (
            closed[0]["state"].as_str(),
            closed.as_array().unwrap().len()
        ),
        (Some("closed"), 1)
    );
    // The next drift is a new issue.
    assert_eq!(
        run("drift", &drift("address missing", "7"))
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn plan_and_drift_turn_exit_codes_into_what_a_pipeline_needs() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, code: u8| {
        fake(
            folder.path(),
            "plimsoll",
            &format!("#!/bin/sh\necho \"$@\" >called\necho said\nexit {code}\n"),
        );
        script(name, folder.path())
            .args(["out", "-C", "live/web"])
            .output()
            .unwrap()
    };
    for (code, passes) in [
        (0, true),
        (2, true),
        (3, true),
        (1, false),
        (5, false),
        (130, false),
    ] {
        let output = run("plan.sh", code);
        assert_eq!(output.status.success(), passes, "{code}");
        if !passes {
            assert_eq!(output.status.code(), Some(i32::from(code)));
        }
    }
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    let out = folder.path().join("out").display().to_string();
    assert!(
        called.starts_with("-C live/web plan --detailed-exitcode --out"),
        "{called}"
    );
    assert!(
        called.contains(&format!("--markdown {out}/plan.md")),
        "{called}"
    );
    for (code, word) in [(0, "none\n"), (2, "drift\n"), (3, "unread\n")] {
        assert_eq!(run("drift.sh", code).stdout, word.as_bytes());
    }
    assert_eq!(run("drift.sh", 1).status.code(), Some(1));
}
