//! `graph`: the way of the packets as a picture, from the configuration or from a saved plan. Reads nothing else.

use super::saved;
use crate::args::{GraphArguments, GraphFormat};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline;
use crate::view::Drawing;
use plimsoll_core::plan;

pub(crate) fn run(context: &Context, arguments: &GraphArguments) -> Result<Exit, Failure> {
    let topology = match &arguments.plan {
        Some(file) => saved::read(&context.path(file))?.topology,
        None => plan::declared_topology(&pipeline::load(context)?.configuration.desired),
    };
    let drawing = match arguments.format {
        GraphFormat::Dot => Drawing::Dot,
        GraphFormat::Mermaid => Drawing::Mermaid,
    };
    context.view.graph(&topology, drawing);
    Ok(Exit::Done)
}
