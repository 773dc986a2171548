//! One request to Azure Resource Manager and its answer, without HTTP: what the pure core speaks.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use super::run_command::ScriptRequest;

/// The verbs that ARM knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Put,
    Patch,
    Post,
    Delete,
}

impl Method {
    /// Whether the verb changes something.
    #[must_use]
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::Head)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        })
    }
}

impl FromStr for Method {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [
            Self::Get,
            Self::Head,
            Self::Put,
            Self::Patch,
            Self::Post,
            Self::Delete,
        ];
        all.into_iter()
            .find(|method| method.to_string().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

/// A request as the core sees it.
#[derive(Debug, Clone)]
pub struct ArmRequest {
    pub method: Method,
    /// Scheme and authority under which the client reached us; operation URLs begin with it.
    pub base_url: String,
    /// Percent-decoded.
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub body: Vec<u8>,
}

impl ArmRequest {
    /// A request without preconditions; `path` may carry `?name=value` pairs (not percent-encoded).
    #[must_use]
    pub fn new(method: Method, path: &str, body: Option<&Value>) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            method,
            base_url: "https://management.lab".to_owned(),
            path: path.to_owned(),
            query,
            if_match: None,
            if_none_match: None,
            body: body
                .map(|body| body.to_string().into_bytes())
                .unwrap_or_default(),
        }
    }

    /// The query parameter, whatever its case: ARM compares parameter names without case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// How the shell treats the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    #[default]
    Answer,
    /// No answer, and the connection stays open until the client leaves (the fault `hold`).
    Never,
    /// The connection closes without an answer (the fault `drop-connection`).
    Drop,
}

/// An answer: status, headers in order, and a JSON body or none.
#[derive(Debug, Clone, Default)]
pub struct ArmAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    pub delivery: Delivery,
    /// A script that the embedding program must run now, and the operation that waits for it.
    pub script: Option<(String, ScriptRequest)>,
}

impl ArmAnswer {
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text, as it travels.
    #[must_use]
    pub fn text(&self) -> String {
        self.body.as_ref().map(Value::to_string).unwrap_or_default()
    }

    /// `error.code` of an error body.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.body.as_ref()?.pointer("/error/code")?.as_str()
    }
}
