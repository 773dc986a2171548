//! All files of a directory as one table of blocks.

use super::block::{Block, attributes, blocks, unknown_block};
use super::codes;
use crate::config::SourceSet;
use crate::lang::parse_body;
use crate::model::Diagnostic;
use hcl::edit::structure::Body;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The block types of a configuration.
const KNOWN: &[&str] = &[
    "plimsoll",
    "provider",
    "variable",
    "locals",
    "output",
    "public_ip_prefix",
    "public_ip",
    "load_balancer",
    "guest",
    "data",
    "check",
    "moved",
    "removed",
    "import",
    "accept",
];

/// Parsed files, owning the syntax trees.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    bodies: Vec<(Arc<str>, Body)>,
}

pub(super) fn parse(sources: &SourceSet, problems: &mut Vec<Diagnostic>) -> Parsed {
    let mut parsed = Parsed::default();
    for (path, text) in &sources.files {
        match parse_body(text, path) {
            Ok(body) => parsed.bodies.push((path.clone(), body)),
            Err(problem) => problems.push(problem),
        }
    }
    parsed
}

/// The blocks of a configuration by type and label.
#[derive(Debug, Default)]
pub(super) struct Module<'a> {
    pub plimsoll: Option<Block<'a>>,
    pub provider: Option<Block<'a>>,
    pub variables: BTreeMap<&'a str, Block<'a>>,
    pub locals: BTreeMap<&'a str, super::block::Written<'a>>,
    pub outputs: BTreeMap<&'a str, Block<'a>>,
    pub public_ip_prefixes: BTreeMap<&'a str, Block<'a>>,
    pub public_ips: BTreeMap<&'a str, Block<'a>>,
    pub load_balancers: BTreeMap<&'a str, Block<'a>>,
    pub guests: BTreeMap<&'a str, Block<'a>>,
    /// `accept` blocks: several may name one code.
    pub acceptances: Vec<Block<'a>>,
    pub data_load_balancers: BTreeMap<&'a str, Block<'a>>,
    pub data_public_ips: BTreeMap<&'a str, Block<'a>>,
    pub data_public_ip_prefixes: BTreeMap<&'a str, Block<'a>>,
    pub checks: BTreeMap<&'a str, Block<'a>>,
    pub moved: Vec<Block<'a>>,
    pub removed: Vec<Block<'a>>,
    pub imports: Vec<Block<'a>>,
}

pub(super) fn module<'a>(parsed: &'a Parsed, problems: &mut Vec<Diagnostic>) -> Module<'a> {
    let mut module = Module::default();
    for (file, body) in &parsed.bodies {
        for attribute in attributes(file, body) {
            problems.push(
                Diagnostic::error(
                    codes::UNKNOWN_ATTRIBUTE.code,
                    codes::UNKNOWN_ATTRIBUTE.title,
                )
                .at(attribute.name_span(), "attributes stand in blocks")
                .help("put it into a `locals` block to name a value"),
            );
        }
        for block in blocks(file, body) {
            place(&mut module, block, problems);
        }
    }
    module
}

fn place<'a>(module: &mut Module<'a>, block: Block<'a>, problems: &mut Vec<Diagnostic>) {
    let table = match block.kind() {
        "plimsoll" => return single(&mut module.plimsoll, block, &[], problems),
        "provider" => return single(&mut module.provider, block, &["azure"], problems),
        "locals" => return locals(module, &block, problems),
        "accept" => return module.acceptances.push(block),
        "variable" => &mut module.variables,
        "output" => &mut module.outputs,
        "public_ip_prefix" => &mut module.public_ip_prefixes,
        "public_ip" => &mut module.public_ips,
        "load_balancer" => &mut module.load_balancers,
        "guest" => &mut module.guests,
        "check" => &mut module.checks,
        word @ ("moved" | "removed" | "import") => {
            block.expect_labels(&[], problems);
            match word {
                "moved" => module.moved.push(block),
                "removed" => module.removed.push(block),
                _ => module.imports.push(block),
            }
            return;
        }
        "data" => {
            if !block.expect_labels(&["TYPE", "NAME"], problems) {
                return;
            }
            match block.label() {
                "load_balancer" => &mut module.data_load_balancers,
                "public_ip" => &mut module.data_public_ips,
                "public_ip_prefix" => &mut module.data_public_ip_prefixes,
                other => {
                    problems.push(
                        Diagnostic::error(codes::UNKNOWN_BLOCK.code, codes::UNKNOWN_BLOCK.title)
                            .at(block.header(), format!("there is no data {other:?}"))
                            .help("there are data \"load_balancer\", data \"public_ip\" and data \"public_ip_prefix\""),
                    );
                    return;
                }
            }
        }
        _ => {
            problems.push(unknown_block(&block, KNOWN, None));
            return;
        }
    };
    if block.kind() != "data" && !block.expect_labels(&["NAME"], problems) {
        return;
    }
    let label = block.written_labels().pop().unwrap_or_default();
    if hcl::edit::Ident::try_new(label).is_err() {
        problems.push(
            Diagnostic::error(codes::WRONG_NAME.code, codes::WRONG_NAME.title)
                .at(block.header(), format!("{label:?} cannot be referred to"))
                .help("use letters, digits, _ and -, and begin with a letter or _"),
        );
        return;
    }
    if let Some(first) = table.get(label) {
        problems.push(twice(&block, first));
        return;
    }
    table.insert(label, block);
}

pub(super) fn twice(block: &Block<'_>, first: &Block<'_>) -> Diagnostic {
    Diagnostic::error(codes::DUPLICATE.code, codes::DUPLICATE.title)
        .at(block.header(), "declared again")
        .at(first.header(), "declared here first")
        .help("give one of them another label")
}

fn single<'a>(
    place: &mut Option<Block<'a>>,
    block: Block<'a>,
    labels: &[&str],
    problems: &mut Vec<Diagnostic>,
) {
    if !block.expect_labels(labels, problems) {
        return;
    }
    if block.labels() != labels {
        problems.push(
            Diagnostic::error(codes::WRONG_NAME.code, codes::WRONG_NAME.title)
                .at(
                    block.header(),
                    format!("the only {} is {:?}", block.kind(), labels.join(" ")),
                )
                .help(format!(
                    "write `{} \"{}\" {{`",
                    block.kind(),
                    labels.join("\" \"")
                )),
        );
        return;
    }
    match place {
        Some(first) => problems.push(twice(&block, first)),
        None => *place = Some(block),
    }
}

fn locals<'a>(module: &mut Module<'a>, block: &Block<'a>, problems: &mut Vec<Diagnostic>) {
    if !block.expect_labels(&[], problems) {
        return;
    }
    block.expect_blocks(&[], problems);
    for local in block.attributes() {
        match module.locals.get(local.name()) {
            Some(first) => problems.push(
                Diagnostic::error(codes::DUPLICATE.code, codes::DUPLICATE.title)
                    .at(local.name_span(), "declared again")
                    .at(first.name_span(), "declared here first")
                    .help("give one of them another name"),
            ),
            None => {
                module.locals.insert(local.name(), local);
            }
        }
    }
}
