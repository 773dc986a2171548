//! The codes of problems with a configuration's blocks, attributes and rules.

use crate::model::code::codes;

codes! {
    SAME_FLOW = "PL0101", "two rules produce the same flow",
        "Each rule of a pool must arrive at a destination of its own: address, port and protocol. Without floating IP every \
         rule arrives at the VM's own address, so two rules with the same protocol and backend port on one pool collide \
         (RulesUseSameBackendPortProtocolAndPool). With floating IP they arrive at their frontends' addresses and collide \
         only on the same frontend (RulesUseSameBackendPortProtocolAndPoolAndFrontendIPWithFloatingIPEnabled).";
    UNKNOWN_BLOCK = "PL0102", "unknown block",
        "The configuration language has no block of this type at this place.";
    DUPLICATE = "PL0103", "declared twice",
        "Every block of a type needs a label of its own, and every sub-resource of a load balancer a name of its own: Azure \
         compares names without case.";
    UNDECLARED = "PL0104", "reference to something that is not declared",
        "The configuration refers to a block that it does not have. A sub-resource that exists in Azure but is not declared \
         here is named by a string instead of a reference.";
    UNKNOWN_ATTRIBUTE = "PL0105", "unknown attribute",
        "A block of this type has no such attribute. Attributes are Azure's own words in snake_case.";
    MISSING_ATTRIBUTE = "PL0106", "missing attribute",
        "The attribute has no default, so it must be written.";
    WRONG_VALUE = "PL0107", "wrong value",
        "The attribute takes another type, another range, or one of a few words.";
    MISSING_BLOCK = "PL0108", "missing block",
        "The configuration needs a block of this type.";
    NOT_SUPPORTED = "PL0109", "not supported yet",
        "The language has this, and this version of plimsoll does not do it yet. It is refused rather than ignored.";
    NOT_KNOWN = "PL0110", "value known only after apply",
        "What is planned must be known when it is planned. Names, ids and references are known before anything exists; \
         addresses that Azure chooses are not.";
    SENSITIVE = "PL0111", "sensitive value in the plan",
        "A plan, a state and a script are read by many people, so no sensitive value may reach them.";
    CYCLE = "PL0112", "values refer to each other in a circle",
        "A value cannot be computed from itself.";
    WRONG_NAME = "PL0113", "wrong name",
        "Names must be such as Azure and guests accept.";
    WRONG_LABELS = "PL0114", "wrong number of labels",
        "Blocks are written with the labels that their type asks for, in quotes, before the brace.";
    NO_CONFIGURATION = "PL0115", "no configuration",
        "A configuration is all files that end in .plim.hcl of one directory.";
    NO_VALUE = "PL0116", "variable without a value",
        "A variable without a default must be given: --var NAME=VALUE, PLIMSOLL_VAR_NAME, or a file of --var-file.";
    WRONG_VERSION = "PL0117", "another version of plimsoll is asked for",
        "`required_version` does not admit the version that is running.";
    FOR_EACH = "PL0118", "for_each takes a map or a set of strings",
        "The keys become part of addresses, so they must be known strings, each once.";
}
