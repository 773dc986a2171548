//! Which writing of which state a text is.

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Identity {
    #[serde(default)]
    pub(crate) lineage: String,
    #[serde(default)]
    pub(crate) serial: u64,
}

/// What a text says it is. A damaged one is nothing that may be overwritten unseen: its whole text is its identity.
pub(crate) fn identity(text: &str) -> Identity {
    serde_json::from_str(text).unwrap_or_else(|_| Identity {
        lineage: format!("damaged: {text}"),
        serial: 0,
    })
}

pub(crate) fn words(identity: Option<&Identity>) -> String {
    match identity {
        None => "absent".to_owned(),
        Some(identity) if identity.lineage.starts_with("damaged: ") => "damaged".to_owned(),
        Some(identity) => format!("serial {} of lineage {}", identity.serial, identity.lineage),
    }
}
