//! From sources to a configuration, with everything that is wrong at once.

use super::block::Block;
use super::checks::Accepted;
use super::codes;
use super::desired::{Configuration, Desired, Settings};
use super::evaluate::Evaluator;
use super::lifecycle::{Dependency, depends_on, lifecycle};
use super::module::{Module, module, parse};
use super::resources::{addr, each_of};
use super::settings::settings;
use super::sources::{Inputs, SourceSet};
use super::{checks, data, guests, refactor, resources, variables};
use crate::lang::{Files, constant, evaluate, to_json};
use crate::model::diag::sorted;
use crate::model::schema::{Attribute, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX};
use crate::model::{Addr, Diagnostic, Digest, Kind, Span, digest_of};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// `None` where any diagnostic is an error.
pub fn load(
    sources: &SourceSet,
    inputs: &Inputs,
    files: &dyn Files,
) -> (Option<Configuration>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let parsed = parse(sources, &mut problems);
    let module = module(&parsed, &mut problems);
    // A file that could not be parsed leaves holes that would be reported a second time as dangling references.
    if problems
        .iter()
        .any(|p| p.code == crate::lang::codes::SYNTAX.code)
    {
        return (None, sorted(problems));
    }
    let evaluator = Evaluator::new(&module, inputs, files);
    let read = read(&evaluator, &mut problems);
    let undiscovered = evaluator.undiscovered.take();
    if !undiscovered.pools.is_empty() {
        // They are found again, should they be real, once the members of the pools are read.
        problems.retain(|problem| problem.code != codes::NOT_KNOWN.code);
    }
    let problems = sorted(problems);
    let failed = problems.iter().any(Diagnostic::is_error);
    let configuration = read.filter(|_| !failed).map(|read| Configuration {
        settings: read.settings,
        desired: read.desired,
        outputs: read.outputs,
        accepted: read.accepted,
        digest: digest(sources, inputs),
        undiscovered,
    });
    (configuration, problems)
}

/// What the blocks say, right or wrong.
struct Read {
    settings: Settings,
    desired: Desired,
    outputs: BTreeMap<String, Json>,
    accepted: Vec<Accepted>,
}

/// Evaluates, decodes and checks everything that is declared; `None` where the settings cannot be known.
fn read<'a>(evaluator: &'a Evaluator<'a>, problems: &mut Vec<Diagnostic>) -> Option<Read> {
    let (module, inputs) = (evaluator.module, evaluator.inputs);
    let settings = settings(evaluator, problems);
    variables::undeclared_values(module, inputs, problems);
    variables::check(evaluator, problems);
    for local in module.locals.values() {
        // Every local is computed, used or not: a wrong one is found before someone uses it.
        if let Err(found) = evaluate(local.value(), local.file, &evaluator.place()) {
            problems.extend(found);
        }
    }
    let mut desired = desired(evaluator, module, inputs, problems);
    refactor::moves(&module.moved, &mut desired, problems);
    refactor::removed(&module.removed, &mut desired, problems);
    refactor::imports(evaluator, &module.imports, &mut desired, problems);
    refactor::checks(evaluator, &mut desired, problems);
    let outputs = outputs(evaluator, module, problems);
    let acceptances = checks::acceptances(&module.acceptances, evaluator, problems);
    let accepted = checks::check(&desired, acceptances, problems);
    Some(Read {
        settings: settings?,
        desired,
        outputs,
        accepted,
    })
}

/// The sources and the values given from outside; not the values of sensitive variables themselves, only their digest.
fn digest(sources: &SourceSet, inputs: &Inputs) -> Digest {
    let files: BTreeMap<&str, &str> = sources
        .files
        .iter()
        .map(|(path, text)| (&**path, &**text))
        .collect();
    digest_of(
        &json!({ "files": files, "variables": inputs.variables, "variable_files": inputs.variable_files }),
    )
}

fn desired<'a>(
    evaluator: &'a Evaluator<'a>,
    module: &'a Module<'a>,
    inputs: &Inputs,
    problems: &mut Vec<Diagnostic>,
) -> Desired {
    let mut desired = Desired::default();
    let place = evaluator.place();
    let mut dependencies: Vec<(Addr, Vec<Dependency>)> = Vec::new();
    for (label, block) in &module.data_public_ips {
        let id = data::named(evaluator, block, data::PUBLIC_IP, problems);
        desired
            .data_public_ips
            .extend(id.map(|id| ((*label).to_owned(), id)));
    }
    for (label, block) in &module.data_public_ip_prefixes {
        let id = data::named(evaluator, block, data::PUBLIC_IP_PREFIX, problems);
        desired
            .data_public_ip_prefixes
            .extend(id.map(|id| ((*label).to_owned(), id)));
    }
    for (label, block) in &module.data_load_balancers {
        let found = data::load_balancer(evaluator, block, problems);
        desired
            .data_load_balancers
            .extend(found.map(|f| ((*label).to_owned(), f)));
    }
    for block in module.public_ip_prefixes.values() {
        declared(
            Kind::PublicIpPrefix,
            block,
            PUBLIC_IP_PREFIX,
            &mut desired,
            &mut dependencies,
            problems,
        );
        for each in each_of(evaluator, block, &place, problems) {
            let found = resources::public_ip_prefix(evaluator, block, each.as_ref(), problems);
            let addr = addr(Kind::PublicIpPrefix, block, each.as_ref());
            desired.public_ip_prefixes.extend(found.map(|f| (addr, f)));
        }
    }
    for block in module.public_ips.values() {
        declared(
            Kind::PublicIp,
            block,
            PUBLIC_IP,
            &mut desired,
            &mut dependencies,
            problems,
        );
        for each in each_of(evaluator, block, &place, problems) {
            let found = resources::public_ip(evaluator, block, each.as_ref(), inputs.lab, problems);
            desired
                .public_ips
                .extend(found.map(|f| (addr(Kind::PublicIp, block, each.as_ref()), f)));
        }
    }
    for block in module.load_balancers.values() {
        declared(
            Kind::LoadBalancer,
            block,
            LOAD_BALANCER,
            &mut desired,
            &mut dependencies,
            problems,
        );
        for each in each_of(evaluator, block, &place, problems) {
            let found = resources::load_balancer(evaluator, block, each.as_ref(), problems);
            if let Some(found) = found {
                desired
                    .load_balancers
                    .insert(addr(Kind::LoadBalancer, block, each.as_ref()), found);
            }
        }
    }
    for block in module.guests.values() {
        declared(
            Kind::Guest,
            block,
            &[],
            &mut desired,
            &mut dependencies,
            problems,
        );
        for each in each_of(evaluator, block, &place, problems) {
            let found = guests::guest(evaluator, block, each.as_ref(), problems);
            desired
                .guests
                .extend(found.map(|f| (addr(Kind::Guest, block, each.as_ref()), f)));
        }
    }
    same_id(&desired, problems);
    refactor::dependencies(&dependencies, &desired, problems);
    desired
}

/// What counts for the block whatever its instances are.
fn declared(
    kind: Kind,
    block: &Block<'_>,
    table: &'static [Attribute],
    desired: &mut Desired,
    dependencies: &mut Vec<(Addr, Vec<Dependency>)>,
    problems: &mut Vec<Diagnostic>,
) {
    let addr = Addr::new(kind, block.label());
    let names: Vec<&str> = table.iter().map(|a| a.name).collect();
    // Its own problems are reported with the first instance.
    let lifecycle = lifecycle(block, &names, &mut Vec::new());
    desired.blocks.insert(addr.to_string(), lifecycle);
    let on = depends_on(block, problems);
    dependencies.push((addr, on));
}

/// Two blocks that name one resource in Azure would fight over it.
fn same_id(desired: &Desired, problems: &mut Vec<Diagnostic>) {
    let mut seen = BTreeMap::new();
    let public_ips = desired.public_ips.values().map(|p| (&p.id, &p.span));
    let load_balancers = desired.load_balancers.values().map(|l| (&l.id, &l.span));
    for (id, span) in public_ips.chain(load_balancers) {
        if let Some(first) = seen.insert(id.clone(), span) {
            problems.push(
                Diagnostic::error(codes::DUPLICATE.code, codes::DUPLICATE.title)
                    .at(span.clone(), "this is the same resource in Azure")
                    .at(first.clone(), "declared here first")
                    .note(format!("both are {id}"))
                    .help("give one of them another name"),
            );
        }
    }
}

fn outputs<'a>(
    evaluator: &'a Evaluator<'a>,
    module: &Module<'a>,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Json> {
    let mut outputs = BTreeMap::new();
    for (name, block) in &module.outputs {
        block.expect_attributes(&["value", "description", "sensitive"], problems);
        block.expect_blocks(&[], problems);
        let Some(written) = block.attribute("value") else {
            problems.push(block.missing("value", "…"));
            continue;
        };
        let says_sensitive = match block.attribute("sensitive") {
            None => false,
            Some(flag) => match constant(flag.value(), flag.file).map(|v| v.as_bool()) {
                Ok(Some(flag)) => flag,
                Ok(None) | Err(_) => {
                    problems.push(super::attribute::wrong(
                        &flag.value_span(),
                        "sensitive is true or false, written out",
                    ));
                    false
                }
            },
        };
        match evaluate(written.value(), written.file, &evaluator.place()) {
            Ok(value) if value.contains_sensitive() && !says_sensitive => {
                let problem =
                    Diagnostic::error(codes::SENSITIVE_OUTPUT.code, codes::SENSITIVE_OUTPUT.title)
                        .at(written.value_span(), "this holds a sensitive value");
                problems.push(match block.attribute("sensitive") {
                    None => {
                        let end = written.value_span().end;
                        let place = Span::new(written.file.clone(), end..end);
                        problem.patch("say so", place, "\n  sensitive = true")
                    }
                    Some(flag) => problem.patch("say so", flag.value_span(), "true"),
                });
            }
            Ok(_) if says_sensitive => {
                outputs.insert((*name).to_owned(), Json::String("(sensitive)".to_owned()));
            }
            Ok(value) => {
                let json = to_json(&value)
                    .unwrap_or_else(|| Json::String("(known after apply)".to_owned()));
                outputs.insert((*name).to_owned(), json);
            }
            Err(found) => problems.extend(found),
        }
    }
    outputs
}

#[cfg(test)]
#[path = "../../tests/sizes/mod.rs"]
mod sizes;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::NoFiles;

    /// Expressions evaluated, references resolved, blocks gone through.
    fn work(text: &str) -> [u64; 3] {
        let mut sources = SourceSet::default();
        sources.files.insert("web.plim.hcl".into(), text.into());
        let inputs = Inputs::default();
        let mut problems = Vec::new();
        let parsed = parse(&sources, &mut problems);
        let module = module(&parsed, &mut problems);
        let evaluator = Evaluator::new(&module, &inputs, &NoFiles);
        read(&evaluator, &mut problems);
        assert!(
            problems.iter().all(|p| !p.is_error()),
            "{:#?}",
            problems.first()
        );
        let counts = &evaluator.counts;
        [&counts.evaluated, &counts.resolved, &counts.looked_at].map(std::cell::Cell::get)
    }

    #[test]
    fn work_grows_with_the_configuration_and_no_faster() {
        type Form = (&'static str, fn(usize) -> String);
        const FORMS: [Form; 3] = [
            ("for_each", sizes::each),
            ("dynamic", sizes::dynamic),
            ("written out", sizes::written),
        ];
        for (form, write) in FORMS {
            let sizes = [2, 4, 8, 16];
            let counts = sizes.map(|size| work(&write(size)));
            for (pair, size) in counts.windows(2).zip(sizes) {
                for (what, (half, whole)) in ["evaluated", "resolved", "looked at"]
                    .iter()
                    .zip(pair[0].iter().zip(pair[1]))
                {
                    // Something is the same at every size, so twice the configuration is less than twice the work.
                    assert!(
                        whole <= 2 * half,
                        "{form}: {what} {half} times at size {size}, {whole} times at twice that"
                    );
                }
                // And the counts do count what grows.
                assert!(2 * pair[1][0] > 3 * pair[0][0], "{form}: {counts:?}");
            }
        }
    }
}
