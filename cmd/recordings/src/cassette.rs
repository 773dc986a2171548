//! The formats of recordings, read into one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    #[error("{path}: it cannot be read")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}: {why}; a recording is a .yaml cassette or a .json session record")]
    NotARecording { path: String, why: String },
}

/// Who recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    AzureCli,
    DotNet,
    /// Without the bodies of requests, so that its writes cannot be repeated.
    Java,
}

#[derive(Clone, Debug)]
pub struct File {
    /// Without its extension.
    pub name: String,
    pub format: Format,
    pub exchanges: Vec<Exchange>,
}

/// One request and Azure's answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its place in the file, from 0.
    pub number: usize,
    pub method: String,
    /// Path and query.
    pub url: String,
    pub request: Option<Value>,
    pub status: u16,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    pub response: Option<Value>,
}

impl Exchange {
    pub fn path(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }
}

/// Every recording of a folder, by name.
pub fn read_folder(folder: &Path) -> Result<Vec<File>, CassetteError> {
    let unreadable = |source| CassetteError::Unreadable {
        path: folder.display().to_string(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().and_then(|e| e.to_str());
        if path.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Result<File, CassetteError> {
    let text = std::fs::read_to_string(path).map_err(|source| CassetteError::Unreadable {
        path: path.display().to_string(),
        source,
    })?;
    let wrong = |why: String| CassetteError::NotARecording {
        path: path.display().to_string(),
        why,
    };
    let is_json = path.extension().is_some_and(|e| e == "json");
    let document: Value = match is_json {
        true => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
        false => serde_yaml_ng::from_str(&text).map_err(|error| wrong(error.to_string()))?,
    };
    let list = |name: &str| document.get(name).and_then(Value::as_array);
    let (format, exchanges) = if let Some(all) = list("interactions") {
        (Format::AzureCli, numbered(all, azure_cli))
    } else if let Some(all) = list("Entries") {
        let mut all = numbered(all, dot_net);
        // This format groups equal requests; the dates of the answers tell the true order.
        all.sort_by_key(|exchange| {
            let date = exchange.headers.get("date")?.trim_matches(['[', ']', '"']);
            let date = jiff::fmt::rfc2822::parse(date).ok()?;
            Some(date.timestamp())
        });
        (Format::DotNet, all)
    } else if let Some(all) = list("networkCallRecords") {
        (Format::Java, numbered(all, java))
    } else {
        let why = "it has none of interactions, Entries, networkCallRecords";
        return Err(wrong(why.to_owned()));
    };
    let name = path.file_stem().unwrap_or_default();
    Ok(File {
        name: name.to_string_lossy().into_owned(),
        format,
        exchanges,
    })
}

fn numbered(all: &[Value], read: fn(usize, &Value) -> Exchange) -> Vec<Exchange> {
    let all = all.iter().enumerate();
    all.map(|(number, entry)| read(number, entry)).collect()
}

fn azure_cli(number: usize, entry: &Value) -> Exchange {
    let (request, response) = (&entry["request"], &entry["response"]);
    Exchange {
        number,
        method: text(&request["method"]),
        url: without_host(&text(&request["uri"])),
        request: body(&request["body"]),
        status: status(&response["status"]["code"]),
        headers: headers(&response["headers"]),
        response: body(&response["body"]),
    }
}

fn dot_net(number: usize, entry: &Value) -> Exchange {
    Exchange {
        number,
        method: text(&entry["RequestMethod"]),
        url: without_host(&text(&entry["RequestUri"])),
        request: body(&entry["RequestBody"]),
        status: status(&entry["StatusCode"]),
        headers: headers(&entry["ResponseHeaders"]),
        response: body(&entry["ResponseBody"]),
    }
}

fn java(number: usize, entry: &Value) -> Exchange {
    let response = &entry["Response"];
    Exchange {
        number,
        method: text(&entry["Method"]),
        url: without_host(&text(&entry["Uri"])),
        request: None,
        status: status(&response["StatusCode"]),
        headers: headers(response),
        response: body(&response["Body"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A number, or a text that is one.
fn status(value: &Value) -> u16 {
    let number = value.as_u64().and_then(|n| u16::try_from(n).ok());
    number
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or_default()
}

fn headers(value: &Value) -> BTreeMap<String, String> {
    let all = value.as_object().into_iter().flatten();
    all.map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.to_ascii_lowercase(), text)
    })
    .collect()
}

/// JSON in a text, the text in `string` in older cassettes, and there in base64 where it was compressed.
fn body(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok().or_else(|| packed(text)),
        Value::Object(members) => match members.get("string") {
            Some(inner) => body(inner),
            None => Some(value.clone()),
        },
        _ => None,
    }
}

fn packed(text: &str) -> Option<Value> {
    let text: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(text).ok()?;
    let mut plain = String::new();
    match flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut plain) {
        Ok(_) => serde_json::from_str(&plain).ok(),
        Err(_) => serde_json::from_slice(&bytes).ok(),
    }
}

fn without_host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or(url, |at| &rest[at..]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_of_python_and_compressed_bodies_are_read() {
        let yaml = "a: !!python/unicode '{\"b\": 1}'\nc: !!binary |\n  eyJiIjogMn0=\n";
        let document: Value = serde_yaml_ng::from_str(yaml).unwrap();
        assert_eq!(body(&document["a"]), Some(json!({ "b": 1 })));
        assert_eq!(body(&document["c"]), Some(json!({ "b": 2 })));
        // `{}` compressed by gzip.
        let gzip = json!({ "string": "H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==" });
        assert_eq!(body(&gzip), Some(json!({})));
        assert_eq!(body(&json!("")), None);
        assert_eq!(
            body(&json!({ "string": "{\"b\": 3}" })),
            Some(json!({ "b": 3 }))
        );
    }

    #[test]
    fn a_url_is_a_path() {
        assert_eq!(without_host("https://management.azure.com/a?b"), "/a?b");
        assert_eq!(without_host("http://localhost:1234/a"), "/a");
        assert_eq!(without_host("/a"), "/a");
    }
}
