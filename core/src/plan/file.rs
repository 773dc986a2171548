//! The saved plan: the plan and a checksum over it.

use super::{PLAN_FORMAT, PLAN_VERSION, Plan};
use crate::model::{Digest, digest_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: String,
    version: u32,
    sha256: Digest,
    plan: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the file is not a saved plan of plimsoll")]
    Foreign,
    #[error(
        "the saved plan has format version {found}, this plimsoll knows {PLAN_VERSION}: make the plan again with this version"
    )]
    OtherVersion { found: u32 },
    #[error("the saved plan is damaged: its checksum does not fit. Make the plan again")]
    Damaged,
    #[error("the saved plan cannot be understood. Make the plan again")]
    Unreadable(#[source] serde_json::Error),
}

impl Plan {
    pub fn text(&self) -> String {
        let plan = serde_json::to_value(self).expect("a plan is plain JSON");
        let envelope = Envelope {
            format: PLAN_FORMAT.to_owned(),
            version: PLAN_VERSION,
            sha256: digest_of(&plan),
            plan,
        };
        let mut text = serde_json::to_string_pretty(&envelope).expect("a plan is plain JSON");
        text.push('\n');
        text
    }

    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let value: Value = serde_json::from_str(text).map_err(|_| PlanError::Foreign)?;
        if value.get("format").and_then(Value::as_str) != Some(PLAN_FORMAT) {
            return Err(PlanError::Foreign);
        }
        let found = value.get("version").and_then(Value::as_u64).unwrap_or(0);
        if found != u64::from(PLAN_VERSION) {
            return Err(PlanError::OtherVersion {
                found: u32::try_from(found).unwrap_or(u32::MAX),
            });
        }
        let envelope: Envelope = serde_json::from_value(value).map_err(|_| PlanError::Damaged)?;
        if digest_of(&envelope.plan) != envelope.sha256 {
            return Err(PlanError::Damaged);
        }
        serde_json::from_value(envelope.plan).map_err(PlanError::Unreadable)
    }
}
