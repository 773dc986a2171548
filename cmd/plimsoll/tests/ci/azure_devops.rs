//! Threads of a pull request in Azure Repos, and work items of Azure Boards, kept by a server on loopback.

use super::server::{self, Request};
use super::{script, succeeds};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Threads {
    all: Vec<Value>,
    wrong: Vec<String>,
}

const PLACE: &str = "/p/_apis/git/repositories/r/pullRequests/7/threads";

fn answer(threads: &mut Threads, request: &Request) -> (u16, Value) {
    let Request {
        method, path, body, ..
    } = request;
    let Some(rest) = path
        .strip_suffix("?api-version=7.1")
        .and_then(|p| p.strip_prefix(PLACE))
    else {
        threads.wrong.push(format!("{method} {path}"));
        return (404, json!({}));
    };
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", []) => (200, json!({ "value": threads.all })),
        ("POST", []) => {
            let mut thread = body.clone();
            thread["id"] = json!(threads.all.len() + 1);
            thread["comments"][0]["id"] = json!(1);
            threads.all.push(thread.clone());
            (200, thread)
        }
        ("PATCH", [id]) => {
            let at = id.parse::<usize>().unwrap() - 1;
            threads.all[at]["status"] = body["status"].clone();
            (200, threads.all[at].clone())
        }
        ("PATCH", [id, "comments", _]) => {
            let at = id.parse::<usize>().unwrap() - 1;
            threads.all[at]["comments"][0]["content"] = body["content"].clone();
            (200, threads.all[at].clone())
        }
        _ => {
            threads.wrong.push(format!("{method} {path}"));
            (404, json!({}))
        }
    }
}

#[test]
fn a_pull_request_has_one_thread_that_is_updated() {
    let threads = Arc::new(Mutex::new(Threads::default()));
    let kept = Arc::clone(&threads);
    let url = server::start(move |request| answer(&mut kept.lock().unwrap(), request));
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str, interrupts: &str, token: &str| {
        std::fs::write(folder.path().join("plan.md"), text).unwrap();
        let mut command = script("azure-devops-thread.sh", folder.path());
        command
            .args(["plan.md", interrupts])
            .env("SYSTEM_COLLECTIONURI", &url)
            .env("SYSTEM_TEAMPROJECTID", "p")
            .env("BUILD_REPOSITORY_ID", "r")
            .env("SYSTEM_PULLREQUEST_PULLREQUESTID", "7")
            .env("SYSTEM_ACCESSTOKEN", token)
            .env("no_proxy", "*");
        command
    };
    succeeds(&mut run(
        "<!-- plimsoll plan web -->\n### Deletes `a` \"x\"\n",
        "1",
        "secret",
    ));
    assert_eq!(threads.lock().unwrap().all[0]["status"], "active");
    succeeds(&mut run(
        "<!-- plimsoll plan web -->\n### Adds `b`\n",
        "0",
        "secret",
    ));
    succeeds(&mut run(
        "<!-- plimsoll plan other -->\n### No changes\n",
        "0",
        "secret",
    ));
    let refused = run("<!-- plimsoll plan web -->\n", "0", "wrong")
        .output()
        .unwrap();
    assert!(!refused.status.success(), "a refusal fails the step");
    let threads = threads.lock().unwrap();
    assert!(threads.wrong.is_empty(), "{:?}", threads.wrong);
    assert_eq!(threads.all.len(), 2, "{:?}", threads.all);
    assert_eq!(threads.all[0]["status"], "closed");
    assert_eq!(
        threads.all[0]["comments"][0]["content"],
        "<!-- plimsoll plan web -->\n### Adds `b`\n"
    );
}

/// Work items of a Basic project, as its REST API changes and shows them.
#[derive(Default)]
struct Board {
    items: Vec<Value>,
    /// What was written into each item's history, in order.
    said: Vec<String>,
    wrong: Vec<String>,
}

fn board(board: &mut Board, request: &Request) -> (u16, Value) {
    let Request {
        method,
        path,
        content,
        body,
    } = request;
    let place = path
        .strip_prefix("/p/_apis/wit/")
        .and_then(|rest| rest.strip_suffix("api-version=7.1"));
    let patch = content == "application/json-patch+json";
    match (method.as_str(), place, patch) {
        ("GET", Some("workitemtypes/Product%20Issue/states?"), false) => (
            200,
            json!({ "value": [
                { "name": "To Do", "category": "Proposed" },
                { "name": "Doing", "category": "InProgress" },
                { "name": "Done", "category": "Completed" },
            ] }),
        ),
        ("POST", Some("wiql?$top=50&"), false) => {
            let query = body["query"].as_str().unwrap();
            assert!(
                query.contains("[System.Tags] CONTAINS 'plimsoll-drift'"),
                "{query}"
            );
            let found: Vec<Value> = board
                .items
                .iter()
                .rev()
                .filter(|i| {
                    let title = i["fields"]["System.Title"].as_str().unwrap();
                    query.contains(&format!("[System.Title] = '{title}'"))
                })
                .map(|i| json!({ "id": i["id"] }))
                .collect();
            (200, json!({ "workItems": found }))
        }
        ("GET", Some(place), false) if place.starts_with("workitems?ids=") => {
            let ids = &place["workitems?ids=".len()..place.find('&').unwrap()];
            let found: Vec<&Value> = ids
                .split(',')
                .map(|id| &board.items[id.parse::<usize>().unwrap() - 1])
                .collect();
            (200, json!({ "value": found }))
        }
        ("POST", Some("workitems/$Product%20Issue?"), true) => {
            let id = board.items.len() + 1;
            board
                .items
                .push(json!({ "id": id, "fields": { "System.State": "To Do" } }));
            change(board, id, body)
        }
        ("PATCH", Some(place), true) if place.starts_with("workitems/") => {
            let id = place["workitems/".len()..place.len() - 1].parse().unwrap();
            change(board, id, body)
        }
        (_, _, _) => {
            board.wrong.push(format!("{method} {path} {content}"));
            (404, json!({}))
        }
    }
}

fn change(board: &mut Board, id: usize, patch: &Value) -> (u16, Value) {
    for edit in patch.as_array().unwrap() {
        assert_eq!(edit["op"], "add");
        let name = edit["path"]
            .as_str()
            .unwrap()
            .strip_prefix("/fields/")
            .unwrap();
        match (name, edit["value"].as_str().unwrap()) {
            ("System.History", said) => board.said.push(said.to_owned()),
            // Azure sorts tags and rewrites what it takes for HTML.
            ("System.Tags", tags) => {
                let mut tags: Vec<&str> = tags.split("; ").collect();
                tags.sort_unstable();
                board.items[id - 1]["fields"][name] = json!(tags.join("; "));
            }
            ("System.Description", text) => {
                board.items[id - 1]["fields"][name] = json!(format!("<div>{text}</div>"));
            }
            (_, value) => board.items[id - 1]["fields"][name] = json!(value),
        }
    }
    (200, board.items[id - 1].clone())
}

#[test]
fn drift_is_one_work_item_that_opens_changes_and_closes() {
    let kept = Arc::new(Mutex::new(Board::default()));
    let served = Arc::clone(&kept);
    let url = server::start(move |request| board(&mut served.lock().unwrap(), request));
    let folder = tempfile::tempdir().unwrap();
    let report = |what: &str, at: &str| {
        format!(
            "<!-- plimsoll drift web -->\n### 1 difference\n- {what} <b>\n\n::: mermaid\nflowchart LR\n:::\n\n\
             <sub>plimsoll 0.1.0 · read at {at}</sub>\n"
        )
    };
    let run = |word: &str, text: &str, token: &str| {
        std::fs::write(folder.path().join("drift.md"), text).unwrap();
        let mut command = script("azure-devops-work-item.sh", folder.path());
        command
            .args([word, "drift.md"])
            .env("SYSTEM_COLLECTIONURI", &url)
            .env("SYSTEM_TEAMPROJECTID", "p")
            .env("SYSTEM_ACCESSTOKEN", token)
            .env("PLIMSOLL_WORK_ITEM_TYPE", "Product Issue")
            .env("no_proxy", "*");
        command
    };
    let after = |word: &str, text: &str| {
        succeeds(&mut run(word, text, "secret"));
        let board = kept.lock().unwrap();
        (board.items.clone(), board.said.len())
    };
    assert_eq!(after("none", &report("nothing", "1")), (vec![], 0));
    let (opened, _) = after("drift", &report("address missing", "2"));
    let fields = &opened[0]["fields"];
    assert_eq!(fields["System.Title"], "Drift in web");
    let description = fields["System.Description"].as_str().unwrap();
    assert!(
        description.contains("address missing &lt;b&gt;"),
        "{description}"
    );
    assert!(!description.contains("flowchart"), "{description}");
    // Somebody puts it into an area of theirs and begins.
    {
        let mut board = kept.lock().unwrap();
        let tags = fields["System.Tags"].as_str().unwrap();
        board.items[0]["fields"]["System.Tags"] = json!(format!("mine; {tags}"));
        board.items[0]["fields"]["System.State"] = json!("Doing");
    }
    let begun = kept.lock().unwrap().items.clone();
    // The same again, an hour later: nobody hears of it.
    assert_eq!(
        after("drift", &report("address missing", "3")),
        (begun.clone(), 0)
    );
    // What could not be read neither opens nor closes.
    assert_eq!(after("unread", &report("", "4")), (begun, 0));
    let (changed, said) = after("drift", &report("firewall closed", "5"));
    let fields = &changed[0]["fields"];
    assert_eq!((changed.len(), said), (1, 1));
    assert!(
        fields["System.Description"]
            .as_str()
            .unwrap()
            .contains("firewall closed")
    );
    assert!(fields["System.Tags"].as_str().unwrap().contains("mine"));
    assert_eq!(fields["System.State"], "Doing");
    let (closed, said) = after("none", &report("", "6"));
    assert_eq!((closed.len(), said), (1, 2));
    assert_eq!(closed[0]["fields"]["System.State"], "Done");
    // The next drift is a new item, and a refusal fails the step.
    assert_eq!(after("drift", &report("address missing", "7")).0.len(), 2);
    let refused = run("drift", &report("x", "8"), "wrong").output().unwrap();
    assert!(!refused.status.success());
    let board = kept.lock().unwrap();
    assert!(board.wrong.is_empty(), "{:?}", board.wrong);
}
