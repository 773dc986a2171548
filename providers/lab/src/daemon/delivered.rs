//! What Azure delivers while it works: the resource as it was before the operation.
//!
//! A GET shows the new body at once, with `provisioningState` Updating; packets follow when the
//! operation has finished. The lab is strict here, so that whoever takes something out of a guest
//! before the load balancer's operation has ended loses packets in the lab too.

use std::collections::BTreeMap;

use serde_json::Value;

/// The last settled document of each resource, by its id in lower case.
#[derive(Debug, Default)]
pub(super) struct Delivered(BTreeMap<String, Value>);

impl Delivered {
    /// Replaces documents that are being worked on by what they were; a new resource is not there yet.
    pub(super) fn settle(&mut self, documents: Vec<Value>) -> Vec<Value> {
        let mut settled = BTreeMap::new();
        for document in documents {
            let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
            let id = text("/id").unwrap_or_default().to_ascii_lowercase();
            let working = matches!(
                text("/properties/provisioningState"),
                Some("Updating" | "Deleting")
            );
            let shown = if working {
                self.0.remove(&id)
            } else {
                Some(document)
            };
            settled.extend(shown.map(|shown| (id, shown)));
        }
        self.0 = settled;
        self.0.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_counts_once_its_operation_has_finished() {
        let document = |state: &str, rules: u8| json!({ "id": "/LB", "properties": { "provisioningState": state, "rules": rules } });
        let mut delivered = Delivered::default();
        assert!(delivered.settle(vec![document("Updating", 1)]).is_empty());
        assert_eq!(
            delivered.settle(vec![document("Succeeded", 1)]),
            [document("Succeeded", 1)]
        );
        for state in ["Updating", "Deleting"] {
            assert_eq!(
                delivered.settle(vec![document(state, 2)]),
                [document("Succeeded", 1)]
            );
        }
        assert_eq!(
            delivered.settle(vec![document("Failed", 2)]),
            [document("Failed", 2)]
        );
        assert!(delivered.settle(vec![]).is_empty());
        assert!(
            delivered.settle(vec![document("Updating", 3)]).is_empty(),
            "deleted and made anew"
        );
    }
}
