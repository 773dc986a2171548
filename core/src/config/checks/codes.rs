//! The codes of the static checks, each with its severity and its source.

use crate::model::code::codes;

codes! {
    SAME_FLOW_ON_NIC = "PL0120", "two rules produce the same flow on one network interface",
        "A network interface takes packets from every pool it is in. Two rules without floating IP arrive at the VM's own \
         address, so they must differ in protocol or backend port, also where they belong to two load balancers or to two \
         pools. Azure refuses when the interface joins the second pool (RulesUseSameBackendPortProtocolAndIPConfig, \
         RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndIPConfig). With floating IP each arrives at its own \
         frontend's address.",
        Error, "Azure error texts; learn.microsoft.com/azure/load-balancer/load-balancer-multivip-overview";
    SAME_FRONTEND_PORT = "PL0121", "two rules take the same port of one frontend",
        "A packet that arrives at a frontend must belong to one rule. Two rules, inbound NAT rules or ranges of NAT ports \
         cannot take the same protocol and port of one frontend.",
        Error, "ARM specification of frontendPort: unique within the load balancer";
    HA_PORTS = "PL0122", "HA ports and port 0 go together",
        "Protocol All is an HA-ports rule: it takes every port, and both ports are written as 0. Port 0 means nothing with \
         Tcp or Udp.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview; ARM specification of backendPort";
    HA_PUBLIC = "PL0123", "HA ports on a public frontend",
        "HA-ports rules exist on internal frontends of Standard load balancers only. A public frontend needs one rule for \
         each port.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview, Limitations";
    HA_MIXED = "PL0124", "an HA-ports rule beside another rule on one frontend",
        "On one frontend, an HA-ports rule and a rule for a port may reach the same pool only if both have floating IP. \
         Azure has refused anything else since June 2020.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview, Limitations; whats-new";
    HA_ALONE = "PL0125", "an HA-ports rule without floating IP must be alone",
        "Without floating IP an HA-ports rule sends every port to the VMs' own addresses. No flow is left for any other rule \
         of this load balancer, nor for another internal load balancer with the same members.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview, Supported configurations";
    HA_TWICE = "PL0126", "two HA-ports rules on one frontend",
        "A frontend has one HA-ports rule at most, since the first one already takes every port. Several of them share a \
         pool if each has a frontend of its own and floating IP.",
        Error, "learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits";
    HA_GUEST_PORTS = "PL0127", "an HA-ports rule that does not say what the guests serve",
        "An HA-ports rule delivers every port, so the ports that the guests serve cannot be derived from it. Without \
         `guest_ports` plimsoll opens no port in the guests' firewalls for this rule and looks for no listener.",
        Advice, "Microsoft's SAP guides list the ports of each instance by hand";
    GUEST_PORTS_UNUSED = "PL0128", "guest_ports on a rule that has a port",
        "`guest_ports` says what guests serve behind an HA-ports rule. A rule with a port of its own opens `backend_port` \
         and nothing else, so the list is ignored.",
        Warning, "plimsoll's own language";
    TWO_FAMILIES = "PL0130", "IPv4 and IPv6 in one backend pool",
        "A pool holds IP configurations of one family. A rule on an IPv6 frontend needs a pool with the VMs' IPv6 \
         configurations, and a rule on an IPv4 frontend another one.",
        Error, "learn.microsoft.com/azure/load-balancer/virtual-network-ipv4-ipv6-dual-stack-standard-load-balancer-powershell";
    SKU_MISMATCH = "PL0131", "SKUs that do not match",
        "A load balancer and the public IP addresses of its frontends must have the same SKU (PublicIPAndLBSkuDoNotMatch). \
         Outbound rules, HA ports and availability zones exist with Standard only.",
        Error, "Azure error text of PublicIPAndLBSkuDoNotMatch";
    BASIC_RETIRED = "PL0132", "the Basic SKU is retired",
        "Basic load balancers and Basic public IP addresses were retired on 30 September 2025. plimsoll manages Standard; \
         what exists with another SKU is replaced by it.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-basic-upgrade-guidance";
    ZONES_ON_PUBLIC = "PL0133", "zones on a frontend with a public IP address",
        "Only an internal frontend chooses zones. A public one has the zones of its public IP address \
         (LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress).",
        Error, "Azure error text of LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress";
    FRONTEND_ADDRESS = "PL0134", "a private address that does not fit its frontend",
        "An internal frontend with static allocation needs `private_ip_address`, of the family that \
         `private_ip_address_version` names; with dynamic allocation Azure chooses the address. A public frontend has no \
         private address.",
        Error, "ARM specification of FrontendIPConfigurationPropertiesFormat";
    CLUSTER_DYNAMIC = "PL0135", "a cluster's frontend without a fixed address",
        "The cluster resource inside the guests holds the frontend's address as a parameter. An address that Azure chooses \
         is known too late and may change, and then the listener is dead although everything looks well.",
        Error, "Microsoft's guides for SQL Server availability groups and SAP: static frontend address";
    CLUSTER_SHARED_PROBE = "PL0136", "two cluster frontends with one probe port",
        "In cluster mode the probe answers on the member that holds the address. Two roles that may run on two members need \
         two ports: with one port, Azure sends the traffic of both roles to every member that answers it.",
        Error, "learn.microsoft.com/azure/azure-sql/virtual-machines/windows/availability-group-vnn-azure-load-balancer-configure";
    CLUSTER_NOT_FLOATING = "PL0137", "a cluster's rule without floating IP",
        "The cluster moves the frontend's address between members. Without floating IP packets arrive at the VM's own \
         address instead, where the clustered service does not listen.",
        Warning, "Microsoft's guides for SQL Server availability groups: floating IP enabled";
    DYNAMIC_FLOATING = "PL0138", "floating IP on an address that Azure chooses",
        "With floating IP every member holds the frontend's address. If Azure chooses it, the load balancer must exist \
         before the guests can be made ready, and a frontend that is made again gets another address. A static address \
         avoids both.",
        Advice, "ARM specification of privateIPAllocationMethod";
    UNUSED = "PL0139", "declared and not used",
        "No rule uses this sub-resource, so it carries no traffic.",
        Advice, "plimsoll's own language";
    IPV6_INTERNAL_FLOATING = "PL0140", "IPv6 floating IP on an internal load balancer",
        "Microsoft's page says that floating IP for IPv6 does not work for internal load balancers. Azure may accept the \
         rule and deliver nothing.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip, Limitations";
    PREFIX_INBOUND = "PL0141", "a rule on a frontend with a public IP prefix",
        "A frontend that takes addresses from a prefix serves outbound rules. Inbound rules need one public IP address; one \
         can be allocated from the prefix.",
        Error, "learn.microsoft.com/azure/virtual-network/ip-services/public-ip-address-prefix";
    NO_POOL = "PL0145", "a rule without a backend pool",
        "Azure accepts the rule and drops what arrives, since nobody serves it.",
        Warning, "learn.microsoft.com/azure/load-balancer/components";
    SEVERAL_POOLS = "PL0146", "a rule with several backend pools",
        "Only rules of Gateway load balancers have two backend pools. A NIC may be in several pools, so one pool with all \
         members does the same.",
        Error, "ARM specification of backendAddressPools";
    MIXED_FLOATING = "PL0147", "floating and non-floating rules on one port",
        "One of the rules arrives at the frontend's address and the other at the VM's own, so Azure's rule of distinct flows \
         holds. No text of Azure forbids it and none promises that it works; an application bound to every address serves \
         both and cannot tell them apart.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-multivip-overview";
    NO_EFFECT = "PL0148", "a setting without effect",
        "Idle timeout and TCP reset are about TCP connections. UDP rules take the attributes and ignore them, so someone \
         who reads the configuration is misled.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset";
    IDLE_WITH_FLOATING = "PL0149", "an idle timeout on a floating rule",
        "Replies do not pass the load balancer with floating IP, and it is reported that the idle timeout then has no \
         effect. Keepalives of the application or of the guest hold a connection open in either case. Rules for clusters \
         are left out, because Microsoft's own guides set 30 minutes there.",
        Warning, "reports; learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset";
    PROBE_PATH = "PL0150", "a probe whose path does not fit its protocol",
        "Http and Https probes ask for a path, which begins with a slash and holds no white space. A Tcp probe only opens a \
         connection and takes none.",
        Error, "ARM specification of requestPath; learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview";
    PROBE_PORT = "PL0151", "a port that Azure does not probe with HTTP",
        "Azure refuses HTTP probes on 19, 21, 25, 70, 110, 119, 143, 220 and 993.",
        Error, "learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview";
    NUMBER_OF_PROBES = "PL0152", "number_of_probes is not honoured",
        "Azure stores the number and changes a member's health after one result whatever it says. `probe_threshold` is the \
         setting that works.",
        Warning, "learn.microsoft.com/azure/load-balancer/whats-new, Known issues";
    PROBE_ON_SERVICE_PORT = "PL0153", "a cluster probe on the port of the service",
        "The probe of a cluster tells the active member from the others. The service's own port answers on every member \
         where the service runs, so Azure sends connections to members that do not hold the address.",
        Warning, "learn.microsoft.com/azure/azure-sql/virtual-machines/windows/availability-group-vnn-azure-load-balancer-configure";
    NO_PROBE = "PL0154", "a rule without a health probe",
        "Without a probe Azure sends traffic to every member of the pool, also to one that is down or not ready.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview";
    EPHEMERAL_PROBE = "PL0155", "a probe port in Windows' dynamic range",
        "Windows gives ports from 49152 to 65535 to outgoing connections. One of them may take the probe's port before the \
         cluster does, and then the probe is not answered. Exclude the port on every node while it is free.",
        Advice, "learn.microsoft.com/azure/azure-sql/virtual-machines/windows/availability-group-vnn-azure-load-balancer-configure";
    CLUSTER_OTHER_PORT = "PL0156", "a cluster's rule that changes the port",
        "Azure's pages contradict each other about a backend port that differs from the frontend port with floating IP, and \
         the guides for clusters write both equal.",
        Advice, "learn.microsoft.com/azure/azure-sql/virtual-machines/windows/availability-group-load-balancer-portal-configure";
    CLUSTER_IDLE = "PL0157", "a cluster's HA-ports rule with the short idle timeout",
        "Microsoft's guides for SAP on Pacemaker set the idle timeout to 30 minutes, because the connections between SAP \
         components are silent for longer than the default of four.",
        Advice, "learn.microsoft.com/azure/sap/workloads/high-availability-guide-suse";
    CLUSTER_ALL_UP = "PL0158", "a cluster's probe that counts everyone as healthy when no one answers",
        "In cluster mode only the active member answers the probe, and none does while the role moves. With \
         `no_healthy_backends_behavior = \"AllProbedUp\"` Azure then sends new connections to every member, and those that do \
         not hold the address drop them. With AllProbedDown clients try again until the role is up.",
        Warning, "learn.microsoft.com/rest/api/load-balancer/load-balancer-probes, ProbeNoHealthyBackendsBehavior";
    LIMIT = "PL0160", "more than Azure allows",
        "A Standard load balancer has at most 600 frontends, 1,500 load-balancing and inbound NAT rules together, 600 \
         outbound rules and 5,000 members in a pool; at most 300 rules reach one network interface \
         (LoadBalancerRuleCountLimitReachedForNic), and a frontend at most 10,000 IP configurations. Basic has 200 frontends, \
         250 rules and 300 members.",
        Error, "learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits";
    NAT_PORTS = "PL0161", "an inbound NAT rule without proper ports",
        "An inbound NAT rule for one VM has `frontend_port`; a range has `frontend_port_range_start`, \
         `frontend_port_range_end` and `backend_pool`. Ports begin at 1 and the end is not before the start.",
        Error, "ARM specification of InboundNatRulePropertiesFormat";
    NAT_RANGE = "PL0162", "an inbound NAT range with fewer ports than members",
        "Each member of the pool gets one port of the range. Members that come after the last port are not reachable.",
        Warning, "learn.microsoft.com/azure/load-balancer/inbound-nat-rules";
    OUTBOUND_INTERNAL = "PL0170", "an outbound rule on an internal frontend",
        "Outbound rules translate to public addresses, so their frontends are public ones of a Standard load balancer.",
        Error, "learn.microsoft.com/azure/load-balancer/outbound-rules";
    OUTBOUND_TWICE = "PL0171", "two outbound rules on one frontend",
        "A frontend has one outbound rule for each protocol; All overlaps with both \
         (MoreThanOneOutboundRuleUsingSameFrontendIPConfigurationAndProtocolIsNotSupported).",
        Error, "Azure error text of MoreThanOneOutboundRuleUsingSameFrontendIPConfigurationAndProtocolIsNotSupported";
    OUTBOUND_EIGHT = "PL0172", "outbound ports that are no multiple of eight",
        "Azure allocates SNAT ports in blocks of eight (SpecifiedAllocatedOutboundPortsForOutboundRuleIsNotAMultipleOfEight).",
        Error, "learn.microsoft.com/azure/load-balancer/troubleshoot-outbound-connection";
    OUTBOUND_TOO_MANY = "PL0173", "more outbound ports than the frontends have",
        "Each frontend address has 64,000 SNAT ports, shared by the members of the pool \
         (SpecifiedAllocatedOutboundPortsForOutboundRuleExceedsTotalNumberOfAvailablePorts).",
        Error, "learn.microsoft.com/azure/load-balancer/outbound-rules";
    SNAT_SHARED = "PL0174", "an outbound rule shares a frontend with a rule that does SNAT",
        "Where an outbound rule uses a frontend, every load-balancing rule on it must have `disable_outbound_snat = true`. \
         Azure refuses the load balancer otherwise \
         (LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule).",
        Warning, "Azure error text of LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule";
    SNAT_ON_FIP = "PL0175", "a floating frontend that is also used for outbound connections",
        "A load-balancing rule on a public frontend lets its members use the frontend's address for connections that they \
         open. Sockets that are bound to the frontend's address inside the guest get no such translation, so their \
         connections fail. `disable_outbound_snat = true`, with a NAT gateway or an outbound rule on another frontend, \
         makes the difference visible.",
        Warning, "learn.microsoft.com/azure/load-balancer/load-balancer-multivip-overview";
    SAME_TYPE_TWICE = "PL0180", "a network interface behind two load balancers of one type",
        "A network interface may be in pools of one public and of one internal load balancer \
         (NetworkInterfaceUsesMultipleLoadBalancersOfSameType).",
        Error, "Azure error text of NetworkInterfaceUsesMultipleLoadBalancersOfSameType";
    SAME_NIC = "PL0181", "two guests with one network interface",
        "A network interface belongs to one VM. If two guests claim it, one of them is prepared for packets that it never \
         gets.",
        Error, "plimsoll's own language";
    SAME_MACHINE = "PL0184", "two guests that are reached as one machine",
        "A guest block stands for one machine, whose record says what plimsoll made in it. Two blocks with one connection \
         would write that record in turns, and each would take away what the other needs. Several network interfaces of one \
         machine are several `network_interface` blocks of one guest.",
        Error, "plimsoll's own language";
    NO_GUEST = "PL0182", "a floating rule that reaches no guest",
        "No guest of this configuration joins the rule's pool. Azure will deliver to whoever is in it, and nothing makes \
         sure that these VMs hold the frontend's address.",
        Advice, "learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip";
    KUBERNETES_NAME = "PL0183", "a load balancer with the name that Kubernetes uses",
        "The cloud provider of Kubernetes names its load balancers `kubernetes` and `kubernetes-internal` and writes them \
         whole. Two writers of one load balancer undo each other's work. Read such a load balancer with a `data` block.",
        Warning, "github.com/kubernetes-sigs/cloud-provider-azure";
    ACCEPTS_NOTHING = "PL0190", "an acceptance that accepts nothing",
        "The finding that this block accepts is not there (any more), so the block only hides a later one.",
        Warning, "plimsoll's own language";
    NOT_ACCEPTABLE = "PL0191", "this cannot be accepted",
        "Warnings and advice can be accepted with a reason. An error is something that Azure or the guests refuse, and \
         accepting it would not change that.",
        Error, "plimsoll's own language";
}
