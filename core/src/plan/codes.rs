//! The codes of what planning finds with live facts.

use crate::model::code::codes;

codes! {
    SILENT_SERVICE = "PL0301", "nothing listens",
        "Azure will deliver packets of a rule to this address and port inside the guest, and no socket there takes them. Bind \
         the application to the frontend's address (floating IP) or to every address. A rule goes live without it: only \
         address and firewall are plimsoll's.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip";
    SILENT_PROBE = "PL0302", "nothing answers the health probe",
        "Health probes go to the VM's own address, for floating IP rules too, because the frontend's address is the same on \
         all members. An application that is bound to the frontend's address alone never answers them, and Azure sends such \
         a guest nothing.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-multivip-overview: probes use the DIP";
    WRONG_NETMASK = "PL0303", "an address has the wrong netmask",
        "A frontend's address on the loopback interface is one address, /32 or /128. With a wider netmask the guest takes the \
         whole subnet for itself and cannot reach its neighbours; the example on the Microsoft page does that.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip; Linux' local routing table";
    NOT_SYSTEMD = "PL0304", "the guest does not boot with systemd",
        "What plimsoll sets is put back at boot by a systemd unit of its own. Where something else is process 1, it works now \
         and is gone after a reboot.",
        Warning, "plimsoll's own persistence";
    FIREWALL_REFUSES = "PL0305", "a firewall rule refuses the packets",
        "A rule that someone else made comes before the one that would let a rule's packets in. plimsoll never changes or goes \
         around other people's firewall rules: remove it, or take the load balancer's rule out of the configuration.",
        Error, "the guest's own ruleset";
    FIREWALL_UNCLEAR = "PL0306", "a firewall rule that cannot be judged",
        "A rule of the guest's firewall uses matches that plimsoll does not understand, so it may refuse the packets or not. \
         Look at it in the guest.",
        Warning, "the guest's own ruleset";
    UNCONFIRMED = "PL0307", "a change that no new connection confirmed",
        "A reload of firewalld could cut a guest off, so the guest takes it back by itself unless plimsoll reaches it again \
         over a new connection. Either that is still awaited, because the run that did it was interrupted (apply again), or no \
         connection came through and the guest runs as before. Then find out what in /etc/firewalld differs from what runs: see \
         that `firewall-cmd --reload` lets you in, and plan again.",
        Warning, "the guest's own files, /var/lib/plimsoll/revert.sh and reverted.sh";
    UNREADABLE_GUEST = "PL0310", "a guest could not be read",
        "Nobody knows what is inside it now, so changes that need it are blocked. Everything else is planned. Once it can be \
         reached again, plan again.",
        Warning, "the guest's connection";
    TCP_TIMESTAMPS = "PL0311", "TCP timestamps are on where a cluster answers health probes",
        "Microsoft's guides for clusters turn TCP timestamps off on every node, because health probes are said to fail with \
         them. Tuning profiles may turn them on again: `net.ipv4.tcp_timestamps = 0` belongs into a file of its own below \
         /etc/sysctl.d.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview; SAP notes 1410736 and 2382421";
    STRICT_REVERSE_PATH = "PL0312", "strict reverse path filtering with several interfaces",
        "With `rp_filter = 1` Linux drops a packet whose reply would leave through another interface. A guest with several \
         interfaces has one default route, so packets of a rule that arrive elsewhere vanish before the firewall sees them. \
         `rp_filter = 2` on the interface keeps the check and lets them in.",
        Warning, "kernel documentation, networking/ip-sysctl: rp_filter";
    EPHEMERAL_PROBE_PORT = "PL0313", "a probe port that outgoing connections may take",
        "The probe's port lies in the range that the kernel takes ports for outgoing connections from. A connection may hold \
         it at the moment in which the cluster wants to open it, and then the probe is not answered. \
         `net.ipv4.ip_local_reserved_ports` keeps it free.",
        Warning, "kernel documentation, networking/ip-sysctl: ip_local_reserved_ports; Microsoft's guide for SQL Server";
    SECONDARY_CONFIGURATION = "PL0314", "floating IP on a secondary IP configuration",
        "Microsoft's page says that floating IP does not work on secondary IP configurations for load balancing, other than \
         with public dual-stack load balancers or a NAT gateway. Put the primary configuration into the pool, or give the VM \
         a second network interface.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip, Limitations";
    PROBE_BLOCKED = "PL0315", "the firewall refuses the health probe",
        "Health probes come from 168.63.129.16 to the VM's own address. A rule of the guest's firewall refuses them, so Azure \
         takes the member for down and sends it nothing.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview: probe source";
    CLUSTER_ADDRESS = "PL0316", "a cluster's address is not on exactly one member",
        "The cluster moves the frontend's address between members, so one member holds it at any time, on whatever interface \
         the cluster chooses. On none of them nobody serves; on two of them connections end in the wrong place.",
        Warning, "Microsoft's guides for SQL Server availability groups and for SAP on Pacemaker";
    CLUSTER_PROBE = "PL0317", "a cluster's probe and its address are on different members",
        "Azure sends a cluster's traffic to the member that answers the probe. That must be the member that holds the \
         address: the probe's port belongs into the same resource group or role as the address.",
        Warning, "ClusterLabs resource agent azure-lb; WSFC parameter ProbePort";
    SILENT_SWITCH = "PL0318", "a rule moves to where nothing listens",
        "Clients of this destination are served by the guest now, or from the moment it joins the pool, which comes before \
         the change. With the change, packets arrive at another address or port inside the guest (another backend port, \
         floating IP switched on or off, another frontend), and no socket there takes them: their connections would be \
         refused. Let the application listen there first (apply --until expand makes the address ready for it), or accept \
         the finding where the interruption is meant. A guest that leaves the pool only after the change is asked as well: \
         change the rule in a later apply, once it has left.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip";
    NAT_POOLS = "PL0320", "inbound NAT rules beside inbound NAT pools",
        "The load balancer has inbound NAT pools, which scale sets use. Azure refuses to add or change inbound NAT rules \
         beside them (AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported).",
        Error, "Azure error text of AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported";
    SECURITY_GROUP = "PL0321", "a network security group drops what a rule sends",
        "A packet must pass the subnet's network security group and the network interface's. With floating IP they see the \
         frontend's address as destination, so a rule that allows only the VM's own address lets nothing through; the \
         default rules let in the virtual network and the health probe, and nobody from the Internet. Allow the rule's \
         protocol to the frontend's address and the backend port.",
        Warning, "learn.microsoft.com/azure/virtual-network/network-security-group-how-it-works; Microsoft's guide for SQL Server availability groups";
    SWALLOWED_SUBNET = "PL0323", "a loopback address swallows the guest's own subnet",
        "A frontend's address stands on the loopback interface with a netmask so wide that the guest's own address lies in it. \
         The guest then takes its neighbours, its gateway included, for itself and answers none of them. Give the address \
         /32 or /128.",
        Error, "Linux' local routing table: ip route get answers local, dev lo, for every address of the netmask";
    SECURITY_GROUP_PROBE = "PL0322", "a network security group drops the health probe",
        "Health probes come from 168.63.129.16 (service tag AzureLoadBalancer) to the VM's own address. Every network security \
         group lets them in by default; a rule of its own with a higher priority denies them here, so Azure takes the member \
         for down and sends it nothing.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview: probe source";
    FOREIGN_CLASH = "PL0324", "a declared rule clashes with one that is only in Azure",
        "The load balancer holds a rule or an inbound NAT rule that neither the configuration nor the state knows, and a declared \
         one takes the same port of the same frontend, or arrives at the same address and port inside the same members. \
         plimsoll keeps what is not ours in every write, and Azure refuses a write that holds both, so nothing is begun. After a \
         lost state it is often the same rule under an older name: give the declared one that name and it is adopted. \
         Otherwise delete the one in Azure, or give yours another port.",
        Error, "Azure error texts of RulesUseSameBackendPortProtocolAndPool and its kin; ARM specification of frontendPort";
    NOT_IN_POOL = "PL0330", "a guest is not in a pool that someone else manages",
        "The pool belongs to a load balancer that this configuration only reads (`data`), so plimsoll never joins it. Its owner \
         has to add the NIC; until then Azure sends the guest nothing.",
        Warning, "the load balancer's own list of members";
    NO_DATA = "PL0331", "a load balancer that is read does not exist",
        "A `data` block names a load balancer that someone else manages, and Azure has none of that name. Guests get what its \
         `expect` block announces, so that it can be created afterwards.",
        Warning, "Azure's answer";
    NOT_THERE_YET = "PL0332", "something that is expected is not there yet",
        "An `expect` block announces what the owner of a load balancer is going to add. Guests are ready for it. Once it is \
         there, or is given up, take it out of `expect`.",
        Advice, "Azure's answer";
    CHECK_FAILED = "PL0333", "a check failed",
        "An assertion of a `check` block is false. Checks never stop anything: they say what the configuration's authors want \
         to know.",
        Warning, "the configuration";
}
