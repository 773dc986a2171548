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
    REFUSED_VALUE = "PL0119", "value refused by its variable",
        "The condition of a `validation` block is false for the value that the variable has. The message is the one that the \
         configuration gives.";
    UNDECLARED_VALUE = "PL0200", "value for a variable that is not declared",
        "A variable file may serve several configurations, so a name that this one does not declare is only a warning there. \
         With --var it is an error, and in the environment it is ignored.";
    SENSITIVE_OUTPUT = "PL0201", "output would show a sensitive value",
        "What a sensitive value is part of is sensitive too. An output that holds such a value says so: sensitive = true.";
    DYNAMIC = "PL0202", "dynamic block that cannot be expanded",
        "A `dynamic` block has for_each, perhaps iterator and labels, and one `content` block. Its keys must be known, and must \
         not be sensitive, since they become part of what is planned.";
    LIFECYCLE = "PL0203", "wrong lifecycle block",
        "A `lifecycle` block takes prevent_destroy (true or false) and ignore_changes (a list of attribute names, or all), both \
         written out: they are read before anything is evaluated.";
    ADDRESS = "PL0204", "not an address",
        "`moved`, `removed`, `import` and `depends_on` name what is declared or recorded: load_balancer.web, guest.vm[\"a\"], \
         load_balancer.web.rule.green.";
    MOVED = "PL0205", "move that cannot be made",
        "A `moved` block names the old address, which nothing declares any more, and the new one, which is declared. Both are of \
         one type.";
    REMOVED = "PL0206", "removed, and still declared",
        "A `removed` block says what becomes of something whose block was taken out. While the block is there it cannot act.";
    IMPORT = "PL0207", "import of another resource",
        "Ids follow from names here, so an `import` block is a check: what it names must be what the block declares.";
    CHECK = "PL0208", "wrong check block",
        "A `check` block holds `assert` blocks, each with a condition that is true or false and an error_message.";
    FOR_EACH = "PL0118", "for_each takes a map or a set of strings",
        "The keys become part of addresses, so they must be known strings, each once.";
}
