//! `moved`, `removed`, `import` and `check`: what the configuration says about its own past, and about itself.

use super::block::{Block, Written};
use super::codes;
use super::desired::{Desired, FailedCheck, Import, Move, Pointed, Removed};
use super::evaluate::{Evaluator, text};
use super::lifecycle::{Dependency, flag};
use super::pointed::pointed;
use super::variables::condition;
use crate::lang::evaluate;
use crate::model::{Addr, ArmId, Diagnostic, Kind};

fn address(
    block: &Block<'_>,
    name: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Pointed, crate::model::Span)> {
    let Some(written) = block.attribute(name) else {
        problems.push(block.missing(name, "load_balancer.web"));
        return None;
    };
    match pointed(&written) {
        Ok(found) => Some((found, written.value_span())),
        Err(found) => {
            problems.push(found);
            None
        }
    }
}

/// Whether the configuration has it: a block with or without instances counts.
fn declares(desired: &Desired, pointed: &Pointed) -> bool {
    let Pointed { addr, item } = pointed;
    let Some(item) = item else {
        let instance = match addr.kind {
            Kind::PublicIpPrefix => desired.public_ip_prefixes.contains_key(addr),
            Kind::PublicIp => desired.public_ips.contains_key(addr),
            Kind::LoadBalancer => desired.load_balancers.contains_key(addr),
            Kind::Guest => desired.guests.contains_key(addr),
        };
        return instance || (addr.key.is_none() && desired.blocks.contains_key(&addr.to_string()));
    };
    let wanted = item.address();
    let prefix = format!("{wanted}[");
    desired.load_balancers.get(addr).is_some_and(|lb| {
        lb.items
            .iter()
            .any(|i| i.address == wanted || (item.key.is_none() && i.address.starts_with(&prefix)))
    })
}

pub(super) fn moves(blocks: &[Block<'_>], desired: &mut Desired, problems: &mut Vec<Diagnostic>) {
    for block in blocks {
        block.expect_attributes(&["from", "to"], problems);
        block.expect_blocks(&[], problems);
        let from = address(block, "from", problems);
        let to = address(block, "to", problems);
        let (Some((from, from_span)), Some((to, to_span))) = (from, to) else {
            continue;
        };
        let wrong = Diagnostic::error(codes::MOVED.code, codes::MOVED.title);
        let kinds = |p: &Pointed| (p.addr.kind, p.item.as_ref().map(|i| i.kind));
        if kinds(&from) != kinds(&to) {
            problems.push(
                wrong
                    .at(to_span, format!("{to} is of another type"))
                    .at(from_span, format!("than {from}"))
                    .help("move to an address of the same type"),
            );
        } else if from.item.is_some() && from.addr != to.addr {
            problems.push(
                wrong
                    .at(to_span, "this is in another load balancer")
                    .note("Azure has no way to move a sub-resource between load balancers")
                    .help("let it be deleted there and created here"),
            );
        } else if from == to {
            problems.push(
                wrong
                    .at(to_span, "this is where it is")
                    .help("take the moved block out"),
            );
        } else if declares(desired, &from) {
            problems.push(
                wrong
                    .at(from_span, format!("{from} is still declared"))
                    .help("a moved block names an address that the configuration no longer has"),
            );
        } else if !declares(desired, &to) {
            problems.push(
                wrong
                    .at(to_span, format!("{to} is not declared"))
                    .help("declare it, or take the moved block out"),
            );
        } else {
            desired.moves.push(Move { from, to });
        }
    }
}

pub(super) fn removed(blocks: &[Block<'_>], desired: &mut Desired, problems: &mut Vec<Diagnostic>) {
    for block in blocks {
        block.expect_attributes(&["from"], problems);
        block.expect_blocks(&["lifecycle"], problems);
        let Some((from, span)) = address(block, "from", problems) else {
            continue;
        };
        let lifecycle = block.blocks().find(|b| b.kind() == "lifecycle");
        let destroy = match &lifecycle {
            Some(lifecycle) => {
                lifecycle.expect_attributes(&["destroy"], problems);
                lifecycle.attribute("destroy").is_none() || flag(lifecycle, "destroy", problems)
            }
            None => true,
        };
        if declares(desired, &from) {
            problems.push(
                Diagnostic::error(codes::REMOVED.code, codes::REMOVED.title)
                    .at(span, format!("{from} is still declared"))
                    .help("take its block out, or this one"),
            );
            continue;
        }
        desired.removed.push(Removed { from, destroy });
    }
}

pub(super) fn imports<'a>(
    evaluator: &'a Evaluator<'a>,
    blocks: &[Block<'a>],
    desired: &mut Desired,
    problems: &mut Vec<Diagnostic>,
) {
    for block in blocks {
        block.expect_attributes(&["to", "id"], problems);
        block.expect_blocks(&[], problems);
        let to = address(block, "to", problems);
        let Some(written) = block.attribute("id") else {
            problems.push(block.missing("id", "\"/subscriptions/…\""));
            continue;
        };
        let id = evaluate(written.value(), written.file, &evaluator.place())
            .and_then(|value| text(&value, &written.value_span()));
        let id = match id {
            Ok(id) => ArmId::new(id),
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        if let Some((to, span)) = to {
            import(to, span, id, &written, desired, problems);
        }
    }
}

fn import(
    to: Pointed,
    span: crate::model::Span,
    id: ArmId,
    written: &Written<'_>,
    desired: &mut Desired,
    problems: &mut Vec<Diagnostic>,
) {
    let wrong = || Diagnostic::error(codes::IMPORT.code, codes::IMPORT.title);
    if to.addr.kind == Kind::Guest {
        problems.push(
            wrong()
                .at(span, "a guest has no id in Azure of its own")
                .note(
                    "a guest is adopted by being declared: what it holds already is left as it is",
                )
                .help("take the import block out"),
        );
        return;
    }
    let declared = match (&to.item, to.addr.kind) {
        (None, Kind::PublicIpPrefix) => {
            let prefixes = &desired.public_ip_prefixes;
            prefixes.get(&to.addr).map(|p| p.id.clone())
        }
        (None, Kind::PublicIp) => desired.public_ips.get(&to.addr).map(|p| p.id.clone()),
        (None, _) => desired.load_balancers.get(&to.addr).map(|l| l.id.clone()),
        (Some(item), _) => desired.load_balancers.get(&to.addr).and_then(|lb| {
            let address = item.address();
            let found = lb.items.iter().find(|i| i.address == address)?;
            Some(lb.id.child(found.kind.arm(), &found.name))
        }),
    };
    match declared {
        None => problems.push(
            wrong()
                .at(span, format!("{to} is not declared"))
                .help("declare it: what is declared and exists is adopted"),
        ),
        Some(declared) if declared != id => problems.push(
            wrong()
                .at(written.value_span(), "this is another resource")
                .at(span, format!("{to} is {declared}"))
                .note("ids follow from names: the block's name, its resource group and the subscription")
                .help("change the block so that it names this resource, or change the id"),
        ),
        Some(_) => desired.imports.push(Import { to, id }),
    }
}

pub(super) fn checks<'a>(
    evaluator: &'a Evaluator<'a>,
    desired: &mut Desired,
    problems: &mut Vec<Diagnostic>,
) {
    for (name, block) in &evaluator.module.checks {
        block.expect_attributes(&[], problems);
        block.expect_blocks(&["assert"], problems);
        let mut any = false;
        for assert in block.blocks().filter(|b| b.kind() == "assert") {
            any = true;
            if let Some(refused) = condition(evaluator, &assert, problems) {
                desired.failed_checks.push(FailedCheck {
                    name: (*name).to_owned(),
                    message: refused.message,
                });
            }
        }
        if !any {
            problems.push(
                Diagnostic::error(codes::CHECK.code, codes::CHECK.title)
                    .at(block.header(), "it asserts nothing")
                    .help("add `assert { condition = …, error_message = \"…\" }` with each on a line of its own"),
            );
        }
    }
}

/// `depends_on` may name only what is declared, and never in a circle.
pub(super) fn dependencies(
    all: &[(Addr, Vec<Dependency>)],
    desired: &Desired,
    problems: &mut Vec<Diagnostic>,
) {
    for (addr, dependencies) in all {
        for dependency in dependencies {
            let on = Pointed {
                addr: dependency.on.clone(),
                item: None,
            };
            let same_block = dependency.on.kind == addr.kind && dependency.on.label == addr.label;
            if same_block {
                problems.push(
                    Diagnostic::error(codes::CYCLE.code, codes::CYCLE.title)
                        .at(dependency.span.clone(), "it would wait for itself")
                        .help("take it out of depends_on"),
                );
            } else if !declares(desired, &on) {
                problems.push(
                    Diagnostic::error(codes::UNDECLARED.code, codes::UNDECLARED.title)
                        .at(
                            dependency.span.clone(),
                            format!("there is no {}", dependency.on),
                        )
                        .help("name something that is declared"),
                );
            }
        }
    }
}
