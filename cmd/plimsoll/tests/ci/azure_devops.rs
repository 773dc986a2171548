//! Threads of a pull request in Azure Repos, kept by an HTTP server of one thread on loopback.

use super::{script, succeeds};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Threads {
    all: Vec<Value>,
    wrong: Vec<String>,
}

const PLACE: &str = "/p/_apis/git/repositories/r/pullRequests/7/threads";

fn answer(
    threads: &mut Threads,
    method: &str,
    path: &str,
    body: &str,
    token: bool,
) -> (u16, Value) {
    if !token {
        return (401, json!({}));
    }
    let Some(rest) = path
        .strip_suffix("?api-version=7.1")
        .and_then(|p| p.strip_prefix(PLACE))
    else {
        threads.wrong.push(format!("{method} {path}"));
        return (404, json!({}));
    };
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    match (method, parts.as_slice()) {
        ("GET", []) => (200, json!({ "value": threads.all })),
        ("POST", []) => {
            let mut thread = body;
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

fn serve(mut stream: &TcpStream, threads: &Mutex<Threads>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let (mut length, mut token) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_owned();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap_or((&header, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => token = value == "Bearer secret",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    let (status, answer) = answer(&mut threads.lock().unwrap(), &method, &path, &body, token);
    let text = answer.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

#[test]
fn a_pull_request_has_one_thread_that_is_updated() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let threads = Arc::new(Mutex::new(Threads::default()));
    let kept = Arc::clone(&threads);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(&stream, &kept);
        }
    });
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
