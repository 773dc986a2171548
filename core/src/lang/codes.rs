//! The codes of the language's diagnostics: one row each, for `plimsoll explain`.

use crate::model::code::codes;

codes! {
    SYNTAX = "PL0010", "invalid syntax",
        "The file is not well-formed HCL at this place. The parser stops at the first such place in a file, so there may be \
         more behind it. Blocks hold one attribute (`name = value`) or block a line; strings end on the line they begin on; \
         a heredoc ends with its delimiter alone on a line.";
    UNKNOWN_NAME = "PL0011", "unknown name",
        "The expression refers to something that is not declared in this configuration, or that cannot be seen from here. \
         References start with `var`, `local`, `data`, `each` or the type of a block, and go on with the name it was given.";
    UNSUPPORTED_ATTRIBUTE = "PL0012", "unsupported attribute",
        "The value on the left has no attribute or element of that name. Only objects and maps have attributes; a list of \
         objects needs an index (`list[0].name`) or a splat (`list[*].name`).";
    INVALID_INDEX = "PL0013", "invalid index",
        "The key in the brackets does not select anything. Lists and tuples take whole numbers from zero up to one less than \
         their length; maps and objects take strings; the elements of a set have no keys at all.";
    NULL_VALUE = "PL0014", "null where a value is needed",
        "`null` means that nothing was given, so it can be assigned, but it has no attributes and elements, cannot be \
         calculated with and cannot be part of a string. `coalesce(value, fallback)` or a default gives it a value.";
    INVALID_OPERAND = "PL0015", "invalid operand",
        "The operator does not work on a value of this type. `+ - * / %` and `< <= > >=` take numbers, `&& || !` take bools; \
         a string is converted where it holds a number or a bool.";
    INVALID_CONDITION = "PL0016", "invalid condition",
        "A condition must be known to be a bool: `true`, `false`, or one of these as a string. In a `for` expression the \
         condition after `if` decides which elements there are, so it must not be null either.";
    INCONSISTENT_TYPES = "PL0017", "inconsistent conditional result types",
        "Both results of a conditional must fit one type, so that what follows can rely on it whichever is chosen. Convert \
         one of them, for example with `tostring`, or give both the same shape.";
    INVALID_INTERPOLATION = "PL0018", "invalid template interpolation",
        "What stands in `${…}` within a string becomes text, so it must be a string, a number or a bool. A list or an object \
         needs `join`, `jsonencode` or another function that says how it should look.";
    NOT_ITERABLE = "PL0019", "not iterable",
        "`for` goes through the elements of a list, a tuple, a set, a map or an object. A single value can be put into \
         brackets to make a list of one.";
    DUPLICATE_KEY = "PL0020", "duplicate object key",
        "Two items gave the same key, so one of them would be lost. In a `for` expression `...` after the value collects all \
         values of a key into a list.";
    INVALID_KEY = "PL0021", "invalid object key",
        "The key of an object or a map is a string, or something that converts to one, and never null. A reference as a key \
         stands in parentheses: `{ (var.name) = 1 }`; without them it is ambiguous.";
    UNKNOWN_FUNCTION = "PL0022", "unknown function",
        "There is no function of that name. The functions are Terraform's, as far as they make sense here; there are no \
         provider functions.";
    WRONG_ARGUMENT_COUNT = "PL0023", "wrong number of arguments",
        "The function takes another number of arguments than it was given. A list can be spread over the arguments with \
         `...` after the last one.";
    INVALID_ARGUMENT = "PL0024", "invalid function argument",
        "The function cannot work with this argument: it has the wrong type, is null, or lies outside what the function accepts.";
    CALL_FAILED = "PL0025", "function call failed",
        "The arguments were accepted one by one, but the function has no result for them.";
    INVALID_TYPE = "PL0026", "invalid type constraint",
        "A type is `string`, `number`, `bool`, `any`, or `list(…)`, `set(…)`, `map(…)`, `tuple([…])` or `object({…})` of \
         types. Attributes of an object may be `optional(type)` or `optional(type, default)`.";
    WRONG_TYPE = "PL0027", "value of the wrong type",
        "The value does not fit the declared type, and Terraform's automatic conversions do not lead there. Numbers, bools \
         and strings convert into each other where the text allows it; lists, sets and tuples into each other where their \
         elements do; objects into maps and back.";
    INVALID_ARITHMETIC = "PL0028", "operation without a result",
        "The calculation has no sensible value, such as zero divided by zero.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_the_languages_range() {
        let codes: Vec<&str> = ALL.iter().map(|row| row.code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            codes
                .iter()
                .all(|code| ("PL0010"..="PL0039").contains(code))
        );
    }
}
