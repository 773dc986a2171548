//! A small Azure Resource Manager in memory, below the client's pipeline: no network, no TLS, paused time.
//!
//! It keeps documents under one etag each that moves with every write and once more when the operation ends, answers
//! writes with `Azure-AsyncOperation`, honours `If-Match`, and misbehaves as told. (Azure's behaviour as counted over
//! recorded traffic; the lab's emulator does all this more fully, and shares no code with it.)

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use azure_core::time::{Duration as TokenLife, OffsetDateTime};
use plimsoll_azure::{Client, Endpoint, Patience};
use plimsoll_core::apply::Progress;
use plimsoll_core::model::ArmId;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

pub(crate) const BASE: &str = "https://arm.test";

/// What to do instead of, or beside, the ordinary.
pub(crate) enum Fault {
    /// Answer this, with these headers.
    Answer(u16, Vec<(&'static str, &'static str)>, Value),
    /// No connection: the request was not sent.
    Unconnected,
    /// The connection breaks; the request had no effect.
    LostRequest,
    /// The connection breaks; the request had its effect.
    LostAnswer,
    /// Someone else changes the document just before this request, and its etag with it.
    Meanwhile(fn(&mut Map<String, Value>)),
    /// Azure stores this beside or instead of what is sent.
    StoreChanged(fn(&mut Map<String, Value>)),
    /// The operation of this write ends so.
    OperationEnds(Value),
    /// The operation of this write is to be asked about somewhere else.
    OperationElsewhere(&'static str),
    /// The answer to this request asks to wait so many seconds.
    RetryAfter(&'static str),
    /// After this write, this many GETs still show the old document.
    LateReads(usize),
}

/// Status, headers, body.
type Raw = (u16, Vec<(String, String)>, Value);

#[derive(Default)]
struct World {
    documents: BTreeMap<String, Map<String, Value>>,
    old: BTreeMap<String, (usize, Option<Map<String, Value>>)>,
    etags: u64,
    operations: BTreeMap<String, Operation>,
    honours_if_none_match: bool,
    /// The word a request line begins with, and the fault.
    faults: VecDeque<(&'static str, Fault)>,
    log: Vec<String>,
    /// Whether it writes, and when it came.
    moments: Vec<(bool, Instant)>,
    bodies: Vec<Value>,
}

struct Operation {
    looks: u32,
    end: Value,
    then: Then,
}

enum Then {
    Settle(String),
    Remove(String),
}

#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<World>>);

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

#[derive(Debug)]
struct FakeToken;

#[async_trait]
impl TokenCredential for FakeToken {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://arm.test/.default"]);
        Ok(AccessToken::new(
            "token",
            OffsetDateTime::now_utc() + TokenLife::hours(1),
        ))
    }
}

/// Notes and operations as they were shown.
#[derive(Default)]
pub(crate) struct Shown(Mutex<Vec<String>>);

impl Progress for Shown {
    fn operation(&self, url: &str) {
        self.0.lock().unwrap().push(format!("operation {url}"));
    }
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

impl Shown {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Fake {
    pub(crate) fn token(&self) -> Arc<dyn TokenCredential> {
        Arc::new(FakeToken)
    }

    /// When reads came, and when writes; polls are reads.
    pub(crate) fn moments(&self) -> (Vec<Instant>, Vec<Instant>) {
        let world = self.0.lock().unwrap();
        let of = |write: bool| {
            let all = world.moments.iter().filter(|(is, _)| *is == write);
            all.map(|(_, at)| *at).collect()
        };
        (of(false), of(true))
    }

    pub(crate) fn client(&self) -> Client {
        Client::with_transport(
            Endpoint::custom(BASE, None).unwrap(),
            self.token(),
            Arc::new(self.clone()),
            Patience::default(),
        )
    }

    /// An operation on a resource, begun by somebody else; the address to ask about it.
    pub(crate) fn begin_again(&self, id: &ArmId) -> String {
        let end = json!({ "status": "Succeeded" });
        let mut world = self.0.lock().unwrap();
        world.begin(Then::Settle(id.folded()), end)
    }

    /// Whether `If-None-Match: *` is honoured is not documented; without this it is ignored.
    pub(crate) fn honour_if_none_match(&self) {
        self.0.lock().unwrap().honours_if_none_match = true;
    }

    /// As existing infrastructure.
    pub(crate) fn load(&self, id: &ArmId, body: Value) {
        let mut world = self.0.lock().unwrap();
        let Value::Object(mut body) = body else {
            panic!("a document is an object")
        };
        world.stamp(id.as_str(), &mut body, "Succeeded");
        world.documents.insert(id.folded(), body);
    }

    pub(crate) fn document(&self, id: &ArmId) -> Option<Map<String, Value>> {
        self.0.lock().unwrap().documents.get(&id.folded()).cloned()
    }

    pub(crate) fn set_state(&self, id: &ArmId, state: &str) {
        let mut world = self.0.lock().unwrap();
        let document = world.documents.get_mut(&id.folded()).unwrap();
        document["properties"]["provisioningState"] = json!(state);
    }

    pub(crate) fn fault(&self, on: &'static str, fault: Fault) {
        self.0.lock().unwrap().faults.push_back((on, fault));
    }

    /// `GET loadBalancers/web`, `PUT loadBalancers/web if-match`, `GET operation`; then begins anew.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    pub(crate) fn last_body(&self) -> Value {
        self.0.lock().unwrap().bodies.last().cloned().unwrap()
    }
}

impl World {
    fn stamp(&mut self, id: &str, body: &mut Map<String, Value>, state: &str) {
        self.etags += 1;
        let etag = format!("W/\"{}\"", self.etags);
        body.insert("id".into(), json!(id));
        body.insert("name".into(), json!(id.rsplit('/').next()));
        body.insert("etag".into(), json!(etag));
        if body.contains_key("sku") {
            body["sku"]["tier"] = json!("Regional");
        }
        let properties = body.entry("properties").or_insert_with(|| json!({}));
        properties["provisioningState"] = json!(state);
        properties["resourceGuid"] = json!("0000");
        for rule in properties
            .get_mut("loadBalancingRules")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let defaults = json!({
                "enableFloatingIP": false, "idleTimeoutInMinutes": 4, "loadDistribution": "Default",
                "allowBackendPortConflict": false, "provisioningState": state
            });
            for (key, value) in defaults.as_object().unwrap() {
                rule["properties"]
                    .as_object_mut()
                    .unwrap()
                    .entry(key.clone())
                    .or_insert(value.clone());
            }
            rule["etag"] = json!(etag);
        }
    }

    fn begin(&mut self, then: Then, end: Value) -> String {
        let name = format!("op{}", self.operations.len());
        self.operations.insert(
            name.clone(),
            Operation {
                looks: 2,
                end,
                then,
            },
        );
        // Resource Manager signs these addresses in their query.
        format!(
            "{BASE}/subscriptions/s/providers/Microsoft.Network/locations/x/operations/{name}?api-version=2024-01-01&t=1&c=MII&s=signature&h=hash"
        )
    }

    fn answer(&mut self, request: &Request) -> azure_core::Result<Raw> {
        let path = request.url().path().to_owned();
        let method = request.method().to_string();
        self.moments.push((method != "GET", Instant::now()));
        let if_match = request
            .headers()
            .get_optional_string(&HeaderName::from_static("if-match"));
        assert!(
            request
                .url()
                .query()
                .unwrap_or_default()
                .contains("api-version=")
                || path.contains("/operations/")
        );
        let line = match path.contains("/operations/") {
            true => format!("{method} operation"),
            false => {
                let tail: Vec<&str> = path.rsplit('/').take(2).collect();
                format!("{method} {}/{}", tail[1], tail[0])
            }
        };
        let if_none_match = request
            .headers()
            .get_optional_string(&HeaderName::from_static("if-none-match"));
        self.log.push(match (&if_match, &if_none_match) {
            (Some(_), _) => format!("{line} if-match"),
            (None, Some(_)) => format!("{line} if-none-match"),
            (None, None) => line.clone(),
        });
        let mut end = json!({ "status": "Succeeded" });
        let mut elsewhere = None;
        let mut store_changed = None;
        let mut late = 0;
        let mut retry_after = None;
        let mut lost = false;
        if let Some(index) = self.faults.iter().position(|(on, _)| line.starts_with(on)) {
            let (_, fault) = self.faults.remove(index).unwrap();
            match fault {
                Fault::Answer(status, headers, body) => {
                    let headers = headers
                        .into_iter()
                        .map(|(k, v)| (k.to_owned(), v.to_owned()))
                        .collect();
                    return Ok((status, headers, body));
                }
                Fault::Unconnected => {
                    return Err(Error::with_message(ErrorKind::Connection, "refused"));
                }
                Fault::LostRequest => return Err(Error::with_message(ErrorKind::Io, "broken")),
                Fault::LostAnswer => lost = true,
                Fault::Meanwhile(change) => {
                    let there = self.documents.remove(&path.to_lowercase());
                    let mut body = there.unwrap_or_default();
                    change(&mut body);
                    self.stamp(&path, &mut body, "Succeeded");
                    self.documents.insert(path.to_lowercase(), body);
                }
                Fault::StoreChanged(change) => store_changed = Some(change),
                Fault::OperationEnds(value) => end = value,
                Fault::OperationElsewhere(url) => elsewhere = Some(url),
                Fault::LateReads(count) => late = count,
                Fault::RetryAfter(seconds) => retry_after = Some(seconds),
            }
        }
        if if_none_match.is_some()
            && self.honours_if_none_match
            && self.documents.contains_key(&path.to_lowercase())
        {
            let body = error("PreconditionFailed", "Precondition failed.");
            return Ok((412, vec![], body));
        }
        let answer = self.ordinary(
            &method,
            &path,
            request,
            if_match.as_deref(),
            end,
            store_changed,
            late,
        );
        if lost {
            return Err(Error::with_message(ErrorKind::Io, "broken"));
        }
        let (status, mut headers, body) = answer;
        headers.extend(retry_after.map(|s| ("retry-after".to_owned(), s.to_owned())));
        if let Some(url) = elsewhere {
            headers.retain(|(name, _)| name != "azure-asyncoperation");
            headers.push(("azure-asyncoperation".into(), url.into()));
        }
        Ok((status, headers, body))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one request and its faults, in a test"
    )]
    fn ordinary(
        &mut self,
        method: &str,
        path: &str,
        request: &Request,
        if_match: Option<&str>,
        end: Value,
        store_changed: Option<fn(&mut Map<String, Value>)>,
        late: usize,
    ) -> Raw {
        if let Some((_, name)) = path.split_once("/operations/") {
            return self.look(name);
        }
        let key = path.to_lowercase();
        let current = self.documents.get(&key).cloned();
        if method == "GET" {
            let shown = match self.old.get_mut(&key) {
                Some((left, old)) if *left > 0 => {
                    *left -= 1;
                    old.clone()
                }
                _ => current,
            };
            return match shown {
                Some(body) => (200, vec![], Value::Object(body)),
                None => (404, vec![], error("ResourceNotFound", "It was not found.")),
            };
        }
        if let (Some(wanted), Some(body)) = (if_match, &current)
            && body["etag"] != json!(wanted)
        {
            return (
                412,
                vec![],
                error("PreconditionFailed", "Precondition failed."),
            );
        }
        if late > 0 {
            self.old.insert(key.clone(), (late, current.clone()));
        }
        if method == "DELETE" {
            let url = self.begin(Then::Remove(key), end);
            return (202, vec![("azure-asyncoperation".into(), url)], Value::Null);
        }
        let Some(Value::Object(mut body)) = sent(request) else {
            panic!("a PUT has a body")
        };
        self.bodies.push(Value::Object(body.clone()));
        if let Some(change) = store_changed {
            change(&mut body);
        }
        self.stamp(path, &mut body, "Updating");
        self.documents.insert(key.clone(), body.clone());
        let url = self.begin(Then::Settle(key), end);
        let status = if current.is_some() { 200 } else { 201 };
        (
            status,
            vec![("azure-asyncoperation".into(), url)],
            Value::Object(body),
        )
    }

    fn look(&mut self, name: &str) -> Raw {
        let Some(operation) = self.operations.get_mut(name) else {
            return (404, vec![], error("ResourceNotFound", "It was not found."));
        };
        operation.looks = operation.looks.saturating_sub(1);
        if operation.looks > 0 {
            return (200, vec![], json!({ "status": "InProgress" }));
        }
        let end = operation.end.clone();
        let ok = end["status"] == "Succeeded";
        match &operation.then {
            Then::Remove(key) if ok => {
                let key = key.clone();
                self.documents.remove(&key);
            }
            Then::Remove(_) => {}
            Then::Settle(key) => {
                let key = key.clone();
                if let Some(mut body) = self.documents.remove(&key) {
                    let id = body["id"].as_str().unwrap().to_owned();
                    self.stamp(&id, &mut body, if ok { "Succeeded" } else { "Failed" });
                    self.documents.insert(key, body);
                }
            }
        }
        (200, vec![], end)
    }
}

pub(crate) fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "details": [] } })
}

fn sent(request: &Request) -> Option<Value> {
    let azure_core::http::Body::Bytes(bytes) = request.body() else {
        return None;
    };
    serde_json::from_slice(bytes).ok()
}

#[async_trait]
impl HttpClient for Fake {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let authorization = request
            .headers()
            .get_optional_string(&HeaderName::from_static("authorization"));
        assert_eq!(authorization.as_deref(), Some("Bearer token"));
        assert_eq!(
            request.url().host_str(),
            Some("arm.test"),
            "a token went astray"
        );
        let (status, named, body) = self.0.lock().unwrap().answer(request)?;
        let mut headers = Headers::new();
        for (name, value) in named {
            headers.insert(name, value);
        }
        headers.insert("x-ms-correlation-request-id", "corr-1");
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::from(status),
            headers,
            text.into_bytes(),
        ))
    }
}
