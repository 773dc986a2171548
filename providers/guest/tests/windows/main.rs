//! Windows guests. No Windows runs here: the grammar of the scripts is checked, their texts are golden, and answers made of
//! what Windows was seen to print go through the whole pipeline.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot run here says so out loud, and one that cannot go on fails"
)]

/// What the writer chooses, branch by branch.
mod branches;
mod captures;
mod grammar;
mod machine;
mod pipeline;
mod scripts;

#[path = "../../../../core/tests/apply/world/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "its guests are those of the core's own tests"
)]
mod world;
