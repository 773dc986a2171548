//! GET: resources, sub-resources, lists.

use serde_json::{Value, json};

use super::answer::Context;
use super::document::text;
use super::kind::Kind;
use super::message::ArmAnswer;
use super::refusal::{Refusal, not_found, part_not_found};
use super::resource_id::{ResourcePath, canonical};
use super::shown::{descend, show};
use super::world::World;
use super::{resource_group, run_command, virtual_machine};

/// One resource, one of its parts, or a list.
///
/// # Errors
/// ARM's 404s.
pub(super) fn resource(
    world: &World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
) -> Result<ArmAnswer, Refusal> {
    if let Some(group) = &path.resource_group {
        resource_group::require(world, &path.subscription, group)?;
    }
    let pairs = path.segments.len() / 2;
    if pairs < kind.depth() {
        let parent = path.ancestor(pairs);
        if pairs > 0 && world.document(&parent.to_string()).is_none() {
            return Err(missing(&parent));
        }
        return Ok(list(world, context, kind, path));
    }
    let own = path.ancestor(kind.depth());
    let resource = world
        .visible(&own.to_string(), context.now)
        .ok_or_else(|| missing(&own))?;
    let shown = present(world, context, kind, resource);
    let rest = &path.segments[kind.depth() * 2..];
    if let [view] = rest
        && kind.is_machine()
        && view.eq_ignore_ascii_case("instanceView")
    {
        let view = virtual_machine::instance_view(&resource.document);
        return Ok(ArmAnswer::json(200, view));
    }
    let found = descend(&shown, rest).ok_or_else(|| part_not_found(&path.to_string()))?;
    if !path.names_resource() {
        return Ok(ArmAnswer::json(200, json!({"value": found})));
    }
    let answer = ArmAnswer::json(200, found.clone());
    // Only GET carries the header, and only Microsoft.Network's (FACTS 1, 3).
    Ok(if kind.is_network() {
        answer.with_header("ETag", resource.etag.clone())
    } else {
        answer
    })
}

fn present(
    world: &World,
    context: &Context<'_>,
    kind: Kind,
    resource: &super::world::Resource,
) -> Value {
    let mut shown = show(world, resource, context.version());
    let expanded = context
        .request
        .parameter("$expand")
        .is_some_and(|what| what.eq_ignore_ascii_case("instanceView"));
    match kind {
        kind if kind.is_run_command() => shown = run_command::show(shown, context.request),
        kind if kind.is_machine() => {
            virtual_machine::hide_power(&mut shown);
            if expanded {
                let view = virtual_machine::instance_view(&resource.document);
                shown["properties"]["instanceView"] = view;
            }
        }
        _ => {}
    }
    shown
}

fn missing(path: &ResourcePath) -> Refusal {
    let group = path.resource_group.as_deref().unwrap_or_default();
    not_found(
        &path.resource_type(),
        &path
            .segments
            .iter()
            .skip(1)
            .step_by(2)
            .cloned()
            .collect::<Vec<_>>()
            .join("/"),
        group,
    )
}

/// All of a type in a resource group or subscription; `nextLink` is absent, as in the recordings.
fn list(world: &World, context: &Context<'_>, kind: Kind, path: &ResourcePath) -> ArmAnswer {
    let mut scope = path.clone();
    scope.segments.truncate(path.segments.len() / 2 * 2);
    let prefix = match (&path.resource_group, scope.segments.is_empty()) {
        (_, false) => format!("{}/", canonical(&scope.to_string())),
        (Some(group), true) => format!(
            "{}/providers/",
            canonical(&super::resource_id::resource_group_id(
                &path.subscription,
                group
            ))
        ),
        (None, true) => format!("/subscriptions/{}/", path.subscription.to_ascii_lowercase()),
    };
    let mut ids: Vec<(u64, String)> = world
        .of_type(kind.kept_as())
        .into_iter()
        .map(|(id, resource)| (resource.born, id.to_owned()))
        .collect();
    // What stale readers still see of what is gone.
    for (id, stale) in &world.stale {
        if let Some(before) = &stale.before
            && text(&before.document, "type").eq_ignore_ascii_case(kind.kept_as())
            && !world.resources.contains_key(id)
        {
            ids.push((before.born, id.clone()));
        }
    }
    ids.sort();
    // Interfaces of scale sets' instances are not among those of Microsoft.Network.
    let provider = format!("/providers/{}/", path.namespace.to_ascii_lowercase());
    let value: Vec<Value> = ids
        .iter()
        .filter(|(_, id)| id.starts_with(&prefix) && id.contains(&provider))
        .filter_map(|(_, id)| world.visible(id, context.now))
        .map(|resource| present(world, context, kind, resource))
        .collect();
    ArmAnswer::json(200, json!({"value": value}))
}

/// The generic list `…/resources`: a few members of each; `$filter=resourceType eq '…'` and
/// `name eq '…'` are understood, joined by `and`.
pub(super) fn everything(world: &World, context: &Context<'_>, prefix: &str) -> ArmAnswer {
    let filter = context.request.parameter("$filter").unwrap_or_default();
    let wanted = |name: &str| {
        let at = filter
            .to_ascii_lowercase()
            .find(&format!("{} eq '", name.to_ascii_lowercase()))?;
        let rest = filter.get(at..)?.split_once('\'')?.1;
        rest.split_once('\'').map(|(value, _)| value.to_owned())
    };
    let (kind, name) = (wanted("resourceType"), wanted("name"));
    let prefix = prefix.to_ascii_lowercase();
    let mut found: Vec<_> = world
        .resources
        .iter()
        .filter(|(id, resource)| {
            let matches = |wanted: &Option<String>, member: &str| {
                wanted.as_ref().is_none_or(|wanted| {
                    text(&resource.document, member).eq_ignore_ascii_case(wanted)
                })
            };
            id.starts_with(&prefix)
                && id.contains("/providers/")
                && matches(&kind, "type")
                && matches(&name, "name")
        })
        .map(|(_, resource)| resource)
        .collect();
    found.sort_by_key(|resource| resource.born);
    let brief = |document: &Value| {
        let members = [
            "id", "name", "type", "sku", "kind", "location", "tags", "zones",
        ];
        let members = members
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), document.get(*name)?.clone())));
        Value::Object(members.collect())
    };
    let value: Vec<Value> = found
        .into_iter()
        .map(|resource| brief(&resource.document))
        .collect();
    ArmAnswer::json(200, json!({"value": value}))
}

/// The resource groups of a subscription.
pub(super) fn groups(world: &World, subscription: &str) -> ArmAnswer {
    let prefix = format!("/subscriptions/{}/", subscription.to_ascii_lowercase());
    let groups = world.of_type(resource_group::TYPE);
    let value: Vec<&Value> = groups
        .iter()
        .filter(|(id, _)| id.starts_with(&prefix))
        .map(|(_, resource)| &resource.document)
        .collect();
    ArmAnswer::json(200, json!({"value": value}))
}
