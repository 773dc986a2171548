//! Planning: desired, observed and prior in; changes, steps, drift and findings out. Pure.

mod addressed;
mod addresses;
mod announced;
mod blocked;
mod cluster_drift;
pub mod codes;
mod cost;
mod demand;
mod drift;
mod file;
mod findings;
mod fold;
mod guest;
mod load_balancer;
mod map;
mod needs;
mod part;
mod past;
mod prefixes;
mod public_ip;
mod question;
mod reliances;
mod select;
mod stages;
mod steps;
mod summary;
pub mod title;
mod topology;
mod trace;
mod traffic;
mod types;
mod wanted;

pub use cluster_drift::unsettled;
pub use cost::Cost;
pub use demand::{Demand, How, demand};
pub use file::PlanError;
pub use map::{MapDestination, MapRow, lab_listeners, map};
pub use question::{Question, Refinements, affected, plan};
pub use summary::{Deletion, Noun, Summary, Tally};
pub use topology::{
    FrontendNode, GuestNode, Mark, MemberNode, PoolNode, RuleNode, Topology, Trouble,
    declared as declared_topology,
};
pub use trace::{
    Basis, Destination, Fix, Hop, HopKind, HopState, MemberTrace, MemberVerdict, NotADestination,
    Route, Trace, TraceQuestion, trace,
};
pub use types::*;
pub use wanted::{Wanted, needed};
