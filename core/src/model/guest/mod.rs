//! A guest: a backend VM seen from inside.

mod connection;
mod entry;
mod facts;
mod firewall;
mod record;
mod weak_host;

pub use connection::{Connection, GuestRef, Interface, Os};
pub use entry::{
    AZURE_PROBE_SOURCE, EntryKey, EntryState, NotAnEntry, OWN_IPV4, OWN_IPV6, Opening, Touch,
};
pub use facts::{
    Fate, GuestFacts, InterfaceAddress, InterfaceHardware, Listener, NetworkFacts,
    PersistedAddress, RecordFact, ReplyPath, STRICT_IPV6, Unconfirmed,
};
pub use firewall::{Chain, Firewall, FirewallKind, FirewallRule, Packet, Target, Verdict};
pub use record::{BY_SCRIPT, Claim, Entry, GuestRecord, RECORD_FORMAT, RecordError};
pub use weak_host::{
    Direction, InterfaceRole, IpFamily, Setting, SettingOn, SystemInterface, WeakHost,
    WeakHostSettings,
};
