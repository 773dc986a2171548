//! The ARM emulator: Azure Resource Manager over plain JSON documents.
//!
//! A request comes in, the world changes, an answer goes out ([`answer`]); around this pure core a
//! [`Store`] keeps the world in a file and tells watchers of changes, and [`serve`] puts it on a
//! loopback port behind TLS. It does what Azure is known to do, each behaviour with its source:
//! "FACTS n" is a section of the project's facts sheet, "recordings" is recorded traffic,
//! "errors.json" the collection of error bodies, [INF] an inference, [OPEN] not established.
//!
//! What errors.json knows and the emulator does not refuse by itself, and why:
//! - rights, locks and registration (`AuthorizationFailed`, `LinkedAuthorizationFailed`, `ScopeLocked`,
//!   `MissingSubscriptionRegistration`): the lab has neither; the faults `403;code=…` and `409;code=…` answer so;
//! - `ExpiredAuthenticationToken`: the lab's token does not expire;
//! - quotas of a subscription (`PublicIPCountLimitReached`, `StaticPublicIPCountLimitReached`): nobody buys more here;
//! - availability sets, models of scale sets and NAT pools (`MaxAvailabilitySetsInLoadBalancerReached`,
//!   `NetworkInterfaceAndLoadBalancerAreInDifferentAvailabilitySets`, `LoadBalancerInUseByVirtualMachineScaleSet`,
//!   `LoadBalancerInboundRuleCountLimitExceededByVMScaleSet`, `CannotUseInactiveHealthProbe`,
//!   `RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndVmssIPConfig`): none of these are modelled;
//! - `RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndIPConfig`, `AnotherInternalLoadBalancerExists`: an interface
//!   has one load balancer of a type at most, which is refused first as `NetworkInterfaceUsesMultipleLoadBalancersOfSameType`;
//! - `DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed`: Basic is retired, and only Basic could differ;
//! - `LoadBalancerBackendsPerFrontendCountLimitReached`: 10,000 members are more than a lab holds;
//! - `NotAllowedToDeleteLoadBalancerWithFrontendIpConfigurationInUseByGlobalLB`: Global tiers are decoded, not managed;
//! - `LocationNotAvailableForResourceType`, `PrivateIPAddressNotInAnySubnet`, `VmNotRunning`: of other providers or
//!   actions that are not served.
//!
//! Rules on one port that differ in floating IP are accepted together: a ban is not confirmed (FACTS 5 [OPEN]).
//!
//! **Invariant:** shares no types with any client, so that a wrong member name cannot cancel out.

mod document;
mod message;
mod refusal;
mod resource_id;

mod detach;
mod fault;
mod fault_routes;
mod fault_text;
mod operation;
mod world;

mod address;
mod api_version;
mod catalog;
mod deployment;
mod kind;
mod load_balancer;
mod load_balancer_check;
mod load_balancer_parts;
mod network_interface;
mod network_security_group;
mod outbound_check;
mod public_ip;
mod public_ip_prefix;
mod resource_group;
mod run_command;
mod scale_set;
mod virtual_machine;
mod virtual_network;

mod answer;
mod in_use;
mod precondition;
mod read;
mod shown;
mod write;
mod write_group;
mod write_part;

mod kept;
mod request_log;
mod seed;
mod store;

mod certificate;
mod server;
mod sign_in;

pub use answer::answer;
pub use catalog::Identity;
pub use fault_routes::fault_routes;
pub use fault_text::FaultError;
pub use kept::StoreError;
pub use message::{ArmAnswer, ArmRequest, Delivery, Method};
pub use request_log::{LogEntry, RequestClass};
pub use run_command::{RunScript, ScriptOutcome, ScriptRequest, Shell};
pub use server::{ServeError, ServeOptions, Served, serve};
pub use store::{Clock, Store};
pub use world::{Settings, World};
