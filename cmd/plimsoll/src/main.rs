//! plimsoll: the program that people run.

#![expect(dead_code, unused_imports, reason = "the commands that use it follow")]
mod args;
mod exit;
mod failure;
mod view;

fn main() {}
