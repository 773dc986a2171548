//! What Azure says and does not let one write, by its API descriptions: not by the code under test.
//!
//! The descriptions themselves are large. What is taken from them is a list of paths for each resource, kept in
//! `testdata/azure/read-only.json`; a test holds it against the descriptions where they are at hand.

use crate::Kind;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = include_str!("../../../testdata/azure/read-only.json");

/// Paths such as `properties.probes[].properties.provisioningState`, by resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOnly(BTreeMap<String, Vec<String>>);

impl ReadOnly {
    pub fn known() -> Self {
        Self(serde_json::from_str(LIST).expect("the list in the repository is JSON of this shape"))
    }

    /// Takes away what may not be written.
    pub(crate) fn strip(&self, kind: Kind, body: &mut Value) {
        for path in self.0.get(kind.definition().1).into_iter().flatten() {
            let steps: Vec<&str> = path.split('.').collect();
            remove(body, &steps);
        }
    }

    /// As the list in the repository is written.
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(&self.0).expect("a map of texts is JSON");
        text + "\n"
    }
}

fn remove(value: &mut Value, steps: &[&str]) {
    let Some((step, rest)) = steps.split_first() else {
        return;
    };
    let (name, is_list) = match step.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (*step, false),
    };
    let Some(members) = value.as_object_mut() else {
        return;
    };
    if rest.is_empty() {
        members.shift_remove(name);
        return;
    }
    match members.get_mut(name) {
        Some(Value::Array(items)) if is_list => {
            items.iter_mut().for_each(|item| remove(item, rest));
        }
        Some(inner) if !is_list => remove(inner, rest),
        Some(_) | None => {}
    }
}

/// From the descriptions: file name (without version) → its definitions.
pub fn of_descriptions(files: &Map<String, Value>) -> ReadOnly {
    let mut all = BTreeMap::new();
    for kind in Kind::ALL {
        let (file, name) = kind.definition();
        let mut found = BTreeSet::new();
        let walk = Walk { files };
        walk.definition(file, name, "", &mut Vec::new(), &mut found);
        all.insert(name.to_owned(), found.into_iter().collect());
    }
    ReadOnly(all)
}

struct Walk<'a> {
    files: &'a Map<String, Value>,
}

impl Walk<'_> {
    /// `inside` are the definitions that this one is part of: descriptions refer to each other in circles, and what is
    /// below a circle is a resource of its own, of which only the id is written.
    fn definition(
        &self,
        file: &str,
        name: &str,
        path: &str,
        inside: &mut Vec<String>,
        found: &mut BTreeSet<String>,
    ) {
        let key = format!("{file}/{name}");
        let Some(definition) = self.files.get(file).and_then(|all| all.get(name)) else {
            return;
        };
        if inside.contains(&key) {
            return;
        }
        inside.push(key);
        self.schema(file, definition, path, inside, found);
        inside.pop();
    }

    fn schema(
        &self,
        file: &str,
        schema: &Value,
        path: &str,
        inside: &mut Vec<String>,
        found: &mut BTreeSet<String>,
    ) {
        if let Some(reference) = schema["$ref"].as_str() {
            let (other, name) = reference.split_once("#/definitions/").unwrap_or_default();
            let other = other.trim_start_matches("./").trim_end_matches(".json");
            let file = if other.is_empty() { file } else { other };
            self.definition(file, name, path, inside, found);
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.schema(file, part, path, inside, found);
        }
        if schema["type"] == json!("array") {
            self.schema(file, &schema["items"], &format!("{path}[]"), inside, found);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            if property["readOnly"] == json!(true) {
                found.insert(path);
            } else {
                self.schema(file, property, &path, inside, found);
            }
        }
    }
}
