//! The nouns: what everything else speaks of.

mod addr;
pub mod code;
pub mod diag;
mod digest;
pub mod guest;
pub mod item;
mod load_balancer;
pub mod member;
pub mod observed;
mod protocol;
pub mod schema;
pub mod security;
mod shared;
mod span;

pub use addr::{Addr, ArmId, Kind, NotAnAddr};
pub use code::Code;
pub use diag::{Diagnostic, Severity};
pub use digest::{Digest, Fingerprint, digest_of};
pub(crate) use digest::{digest_as_written, digest_of_two};
pub use item::{Attr, Attributes, FieldDiff, Item, PoolAddress};
pub use load_balancer::{
    IpConfiguration, LoadBalancer, NetworkInterface, PublicIp, PublicIpPrefix, Rule,
};
pub use protocol::{Protocol, Where};
pub use schema::ItemKind;
pub use shared::Shared;
pub use span::Span;
