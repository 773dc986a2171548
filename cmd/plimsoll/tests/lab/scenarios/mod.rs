/// Pools of addresses: their members are guests too, and what others put there stays.
mod addresses;
/// Pages of the folders: formatted, valid, with a map that is what `map` prints.
mod folders;
/// What `import` writes of each example's load balancer is that example: nothing is to change.
mod imported;
/// Configurations with the mistakes that people make, and the code that names each.
mod mistakes;

/// The address is the cluster's: only its holder serves, failover moves it, and drift stays quiet.
mod cluster;
/// Guests for whoever is in a pool that others fill: virtual machines, and instances of a scale set.
mod discovery;
/// An appliance between two load balancers: routes lead through it, and it holds no address for them.
mod network_appliance;
/// A load balancer of the portal's, taken over; one that stays Terraform's.
mod others;
/// Addresses and openings for each family, protocol and port.
mod plain;
/// Outbound rules whose addresses come from a prefix of somebody else's.
mod prefixes;
/// An instance of a scale set that nobody logs into: the script of its first boot makes it serve.
mod scale_set;
/// Two certificates on one port of one VM.
mod tls;
