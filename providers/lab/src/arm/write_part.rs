//! PUT and DELETE of what lives inside another resource.

use serde_json::json;

use super::answer::Context;
use super::document::{parts, text};
use super::kind::Kind;
use super::load_balancer::with_child;
use super::message::{ArmAnswer, Method};
use super::precondition::{preconditions, refuse_while_deleting};
use super::refusal::Refusal;
use super::resource_id::{ResourcePath, last_name};
use super::run_command;
use super::shown::show;
use super::world::{Provisioning, World};
use super::write::{
    Accepted, absent, answer_delete, answer_write, carry_out, compute_links, location_of, prepare,
    wrong_method,
};

/// PUT and DELETE of a part: the parent as a whole with that part changed.
pub(super) fn child(
    world: &mut World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
    id: &str,
) -> Result<ArmAnswer, Refusal> {
    let segments = &path.segments[kind.depth() * 2..];
    let (Some((array, noun)), [_, name]) = (kind.writable_child(&segments[0]), segments) else {
        return Err(wrong_method(path));
    };
    let Some(existing) = world.resource(id).cloned() else {
        return Err(run_command::parent_not_found(last_name(id)));
    };
    preconditions(world, context, kind, id, Some(&existing))?;
    refuse_while_deleting(Some(&existing), world, id)?;
    let held = parts(&existing.document, array)
        .iter()
        .find(|part| text(part, "name").eq_ignore_ascii_case(name));
    let change = match context.request.method {
        Method::Put => {
            let mut body = context.body()?;
            let name = held.map_or(name.as_str(), |held| text(held, "name"));
            body["name"] = json!(name);
            Some(body)
        }
        Method::Delete if held.is_none() => return Ok(ArmAnswer::empty(204)),
        Method::Delete => None,
        _ => return Err(wrong_method(path)),
    };
    let body = with_child(&existing.document, array, name, change.as_ref());
    let guid = world.guid();
    let (document, slow) = prepare(world, kind, id, &body, Some(&existing.document), &guid)?;
    // Always `Updating` for pools (37 of 37) and for subnets and security rules (recordings).
    let takes_time = slow || array != "inboundNatRules";
    let operation = carry_out(world, context, kind, id, &document, (noun, takes_time));
    if change.is_none() {
        return Ok(answer_delete(
            world,
            context,
            kind,
            path,
            &location_of(&existing),
            &operation,
        ));
    }
    let status = if held.is_some() { 200 } else { 201 };
    let accepted = Accepted {
        id,
        status,
        operation: &operation,
        part: Some(segments),
    };
    Ok(answer_write(world, context, kind, path, &accepted))
}

pub(super) fn managed_command(
    world: &mut World,
    context: &Context<'_>,
    path: &ResourcePath,
    id: &str,
) -> Result<ArmAnswer, Refusal> {
    let body = context.body()?;
    let existed = world.document(id).is_some();
    let patching = context.request.method == Method::Patch;
    if patching && !existed {
        return Err(absent(world, path));
    }
    let (operation, script) = run_command::begin_managed(world, id, &body, patching, context.now)?;
    let Some(resource) = world.resource(id) else {
        return Ok(ArmAnswer::empty(200));
    };
    let mut resource = resource.clone();
    if resource.operation.is_none() {
        resource.state = if existed {
            Provisioning::Updating
        } else {
            Provisioning::Creating
        };
    }
    let shown = run_command::show(show(world, &resource, context.version()), context.request);
    let answer = ArmAnswer::json(if existed { 200 } else { 201 }, shown);
    let location = location_of(&resource);
    let mut answer = compute_links(context, path, &location, &operation, answer);
    answer.script = script.map(|script| (operation, script));
    Ok(answer)
}
