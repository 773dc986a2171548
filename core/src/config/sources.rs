//! What `cmd` gathers before anything is understood.

use crate::model::ArmId;
use crate::model::member::PoolMembers;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Path (as the user would type it) → text.
#[derive(Clone, Debug, Default)]
pub struct SourceSet {
    pub files: BTreeMap<Arc<str>, Arc<str>>,
}

/// What comes from outside the files.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Variables from `--var` and from the environment: texts, to be converted to the variable's type. The last one wins.
    pub variables: BTreeMap<String, String>,
    /// Names given by hand with `--var`: one that nothing declares is a mistake, while the environment may hold more.
    pub strict: std::collections::BTreeSet<String>,
    /// Values from variable files (already evaluated), weaker than `variables`.
    pub variable_files: BTreeMap<String, Value>,
    /// The file that gave each of `variable_files`, for people.
    pub variable_origins: BTreeMap<String, String>,
    /// Who is in pools that others fill, by the pool's id: what was read for `data.load_balancer.x.backend_pool.y.members`.
    pub members: BTreeMap<ArmId, PoolMembers>,
    /// Only in the lab does `lab_address` count.
    pub lab: bool,
}
