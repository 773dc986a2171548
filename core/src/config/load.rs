//! From sources to a configuration, with everything that is wrong at once.

use super::block::Block;
use super::codes;
use super::desired::{Backend, Configuration, Desired, Settings};
use super::evaluate::{Evaluator, Place, text};
use super::lifecycle::{Dependency, depends_on, lifecycle};
use super::module::{Module, module, not_supported, parse};
use super::resources::{addr, each_of};
use super::sources::{Inputs, SourceSet};
use super::{checks, data, guests, refactor, resources, variables};
use crate::lang::{Files, constant, evaluate, to_json};
use crate::model::diag::sorted;
use crate::model::schema::{Attribute, LOAD_BALANCER, PUBLIC_IP};
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
    let settings = settings(&evaluator, &mut problems);
    variables::undeclared_values(&module, inputs, &mut problems);
    variables::check(&evaluator, &mut problems);
    for local in module.locals.values() {
        // Every local is computed, used or not: a wrong one is found before someone uses it.
        if let Err(found) = evaluate(local.value(), local.file, &evaluator.place()) {
            problems.extend(found);
        }
    }
    let mut desired = desired(&evaluator, &module, inputs, &mut problems);
    refactor::moves(&module.moved, &mut desired, &mut problems);
    refactor::removed(&module.removed, &mut desired, &mut problems);
    refactor::imports(&evaluator, &module.imports, &mut desired, &mut problems);
    refactor::checks(&evaluator, &mut desired, &mut problems);
    let outputs = outputs(&evaluator, &module, &mut problems);
    let acceptances = checks::acceptances(&module.acceptances, &evaluator, &mut problems);
    let accepted = checks::check(&desired, acceptances, &mut problems);
    let problems = sorted(problems);
    let failed = problems.iter().any(Diagnostic::is_error);
    let configuration = settings.filter(|_| !failed).map(|settings| Configuration {
        settings,
        desired,
        outputs,
        accepted,
        digest: digest(sources, inputs),
    });
    (configuration, problems)
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

fn string(
    block: &Block<'_>,
    name: &str,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let written = block.attribute(name)?;
    match evaluate(written.value(), written.file, place).and_then(|v| {
        if v.is_null() {
            Ok(None)
        } else {
            text(&v, &written.value_span()).map(Some)
        }
    }) {
        Ok(found) => found,
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

fn settings<'a>(evaluator: &'a Evaluator<'a>, problems: &mut Vec<Diagnostic>) -> Option<Settings> {
    let place = evaluator.place();
    let mut settings = Settings {
        deployment: "default".to_owned(),
        backend: Backend::Local {
            path: "plimsoll.state.json".to_owned(),
        },
        subscription_id: None,
        tenant_id: None,
        endpoint: None,
    };
    if let Some(block) = &evaluator.module.plimsoll {
        block.expect_attributes(&["required_version", "deployment"], problems);
        block.expect_blocks(&["backend"], problems);
        if let Some(deployment) = string(block, "deployment", &place, problems) {
            if !is_deployment(&deployment)
                && let Some(written) = block.attribute("deployment")
            {
                problems.push(
                    Diagnostic::error(codes::WRONG_NAME.code, codes::WRONG_NAME.title)
                        .at(written.value_span(), format!("{deployment:?} cannot name a deployment"))
                        .help("1 to 32 of a-z, 0-9 and -: it is written into guests and firewall rules"),
                );
            }
            settings.deployment = deployment;
        }
        if let Some(required) = string(block, "required_version", &place, problems) {
            required_version(block, &required, problems);
        }
        backend(block, &mut settings, &place, problems);
    }
    if let Some(block) = &evaluator.module.provider {
        block.expect_attributes(&["subscription_id", "tenant_id", "endpoint"], problems);
        block.expect_blocks(&[], problems);
        settings.subscription_id = match evaluator.subscription(&block.header()) {
            Ok(subscription) => Some(subscription),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        settings.tenant_id = string(block, "tenant_id", &place, problems);
        settings.endpoint = string(block, "endpoint", &place, problems);
    }
    Some(settings)
}

fn is_deployment(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn backend(
    block: &Block<'_>,
    settings: &mut Settings,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) {
    let mut found = block.blocks().filter(|b| b.kind() == "backend");
    let Some(backend) = found.next() else {
        return;
    };
    if let Some(second) = found.next() {
        problems.push(super::module::twice(&second, &backend));
    }
    if !backend.expect_labels(&["KIND"], problems) {
        return;
    }
    match backend.label() {
        "local" => {
            backend.expect_attributes(&["path"], problems);
            if let Some(path) = string(&backend, "path", place, problems) {
                settings.backend = Backend::Local { path };
            }
        }
        "azblob" => problems.push(not_supported(backend.header(), "the azblob backend")),
        other => problems.push(
            Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                .at(backend.header(), format!("there is no backend {other:?}"))
                .help("write `backend \"local\" {`"),
        ),
    }
}

/// `>= 0.1`, `0.1.0`, `>= 0.1, < 2`.
fn required_version(block: &Block<'_>, required: &str, problems: &mut Vec<Diagnostic>) {
    let Some(written) = block.attribute("required_version") else {
        return;
    };
    let running = env!("CARGO_PKG_VERSION");
    let admits = required
        .split(',')
        .map(|one| admits(one.trim(), running))
        .collect::<Option<Vec<bool>>>();
    match admits {
        Some(all) if all.iter().all(|ok| *ok) => {}
        Some(_) => problems.push(
            Diagnostic::error(codes::WRONG_VERSION.code, codes::WRONG_VERSION.title)
                .at(written.value_span(), format!("this is plimsoll {running}"))
                .help("install the version that the configuration asks for, or change required_version"),
        ),
        None => problems.push(
            Diagnostic::error(codes::WRONG_VALUE.code, codes::WRONG_VALUE.title)
                .at(written.value_span(), "this is not a version constraint")
                .help("for example \">= 0.1\" or \">= 0.1, < 2.0\""),
        ),
    }
}

fn admits(constraint: &str, running: &str) -> Option<bool> {
    let operator: String = constraint
        .chars()
        .take_while(|c| "<>=!~".contains(*c))
        .collect();
    let version = constraint[operator.len()..].trim();
    let parts = |text: &str| -> Option<[u64; 3]> {
        let mut parts = [0; 3];
        let numbers: Vec<&str> = text.split('.').collect();
        if numbers.len() > 3 {
            return None;
        }
        for (part, number) in parts.iter_mut().zip(numbers) {
            *part = number.parse().ok()?;
        }
        Some(parts)
    };
    let (wanted, found) = (parts(version)?, parts(running)?);
    Some(match operator.as_str() {
        "" | "=" => found == wanted,
        "!=" => found != wanted,
        ">" => found > wanted,
        ">=" => found >= wanted,
        "<" => found < wanted,
        "<=" => found <= wanted,
        "~>" => {
            let given = version.split('.').count();
            let fixed = given.saturating_sub(1).max(1);
            found >= wanted && found[..fixed] == wanted[..fixed]
        }
        _ => return None,
    })
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
        let id = data::public_ip(evaluator, block, problems);
        desired
            .data_public_ips
            .extend(id.map(|id| ((*label).to_owned(), id)));
    }
    for (label, block) in &module.data_load_balancers {
        let found = data::load_balancer(evaluator, block, problems);
        desired
            .data_load_balancers
            .extend(found.map(|f| ((*label).to_owned(), f)));
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
