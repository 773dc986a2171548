//! Reports in files beside what the terminal shows: Markdown for a pull request, HTML for everyone.

use crate::args::ReportArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::host::Host;
use crate::view::markdown::{self, Reader};
use crate::view::{PlanShown, Story, html};
use std::path::Path;

/// What a report is about.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    Plan,
    Drift,
    Apply(&'a Story<'a>),
}

pub(crate) fn write(
    context: &Context,
    arguments: &ReportArguments,
    about: About<'_>,
    shown: &PlanShown<'_>,
) -> Result<(), Failure> {
    if let Some(file) = &arguments.markdown {
        let reader = arguments.markdown_for.unwrap_or(match context.host {
            Host::AzureDevOps(_) => Reader::AzureDevops,
            Host::GitHub(_) | Host::Elsewhere => Reader::Github,
        });
        let text = match about {
            About::Plan => markdown::plan(shown, reader),
            About::Drift => markdown::drift(shown, reader),
            About::Apply(story) => markdown::applied(shown, story, reader),
        };
        save(&context.path(file), &text)?;
    }
    if let Some(file) = &arguments.html {
        let text = match about {
            About::Plan => html::plan(shown),
            About::Drift => html::drift(shown),
            About::Apply(story) => html::applied(shown, story),
        };
        save(&context.path(file), &text)?;
    }
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(format!("cannot write the report {}", path.display()))
            .because(&error)
            .next("Paths after -C DIR are seen from that directory, which must exist.")
    })
}
