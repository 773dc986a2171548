//! `schema`: what a program may rely on in the JSON that others of our commands write.

use crate::args::SchemaArguments;
use crate::exit::Exit;
use crate::view::{json, say};

pub(crate) fn run(arguments: &SchemaArguments) -> Exit {
    say(&json::pretty(&json::schema(arguments.of)));
    Exit::Done
}
