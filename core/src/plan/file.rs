//! The saved plan: the plan and a checksum over it. Neither is held in memory a second time, for a plan may be large.

use super::{PLAN_FORMAT, PLAN_VERSION, Plan};
use crate::model::Digest;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u32,
    sha256: Digest,
    plan: &'a Plan,
}

#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Read {
    sha256: Digest,
    plan: Plan,
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
        let written = Written {
            format: PLAN_FORMAT,
            version: PLAN_VERSION,
            sha256: self.digest(),
            plan: self,
        };
        let mut text = serde_json::to_string(&written).expect("a plan is plain JSON");
        text.push('\n');
        text
    }

    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let head: Head = serde_json::from_str(text).map_err(|_| PlanError::Foreign)?;
        if head.format.as_deref() != Some(PLAN_FORMAT) {
            return Err(PlanError::Foreign);
        }
        let found = head.version.unwrap_or(0);
        if found != PLAN_VERSION {
            return Err(PlanError::OtherVersion { found });
        }
        let read: Read = serde_json::from_str(text).map_err(PlanError::Unreadable)?;
        if read.plan.digest() != read.sha256 {
            return Err(PlanError::Damaged);
        }
        Ok(read.plan)
    }
}
