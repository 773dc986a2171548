//! Any text as a file: what can be formatted is well-formed afterwards too, and formatting it again changes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_core::lang;

fuzz_target!(|source: &str| {
    if let Ok(once) = lang::format(source) {
        match lang::format(&once) {
            Ok(twice) => assert_eq!(once, twice, "formatting again changes it"),
            Err(problem) => panic!("formatting made it ill-formed: {problem:?}\n{once}"),
        }
    }
});
