//! PUT, PATCH and DELETE: preconditions, the type's own preparation, and the operation that follows.

use serde_json::Value;

use super::answer::{Context, operation_links};
use super::document::{parts, property_text, reference, text};
use super::in_use::deletable;
use super::kind::Kind;
use super::message::{ArmAnswer, Method};
use super::operation::{Write, begin_delete, begin_write, url};
use super::precondition::{check_location, preconditions, refuse_while_deleting};
use super::refusal::{Refusal, not_found};
use super::resource_id::{ResourcePath, canonical, resource_group_id};
use super::shown::{descend, show};
use super::world::{Provisioning, Resource, World};
use super::write_part;
use super::{
    detach, load_balancer, network_interface, network_security_group, public_ip, public_ip_prefix,
    resource_group as groups, scale_set, virtual_machine, virtual_network,
};

/// The prefixes of subnets that are made up on demand.
const MADE_UP_PREFIX: &str = "10.0.0.0/24";
const MADE_UP_PREFIX_V6: &str = "fd00:db8:deca::/64";

/// Carries out a write on a resource or one of its writable parts.
///
/// # Errors
/// ARM's refusal.
pub(super) fn resource(
    world: &mut World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
) -> Result<ArmAnswer, Refusal> {
    let method = context.request.method;
    let Some(group) = path.resource_group.clone() else {
        return Err(wrong_method(path));
    };
    let read_only = kind == Kind::InstanceInterface;
    if read_only || !path.names_resource() || path.segments.len() < kind.depth() * 2 {
        return Err(wrong_method(path));
    }
    if world.settings.auto_create && method == Method::Put {
        let body = context.body()?;
        groups::ensure(world, &path.subscription, &group, text(&body, "location"));
    }
    let group = groups::require(world, &path.subscription, &group)?;
    let group = text(group, "name").to_owned();
    let id = proper_id(world, kind, path, &group);
    let nested = path.segments.len() > kind.depth() * 2;
    match (method, nested) {
        (Method::Put | Method::Patch, false) if kind.is_run_command() => {
            write_part::managed_command(world, context, path, &id)
        }
        (Method::Put, false) => put(world, context, kind, path, &id),
        (Method::Patch, false) => patch(world, context, &id, path),
        (Method::Delete, false) => delete(world, context, kind, path, &id),
        (_, true) => write_part::child(world, context, kind, path, &id),
        _ => Err(wrong_method(path)),
    }
}

/// The id as the service spells it: its own words for types, the names as first given.
fn proper_id(world: &World, kind: Kind, path: &ResourcePath, group: &str) -> String {
    let own = path.ancestor(kind.depth());
    if let Some(document) = world.document(&own.to_string()) {
        return text(document, "id").to_owned();
    }
    let mut id = format!(
        "{}/providers/{}",
        resource_group_id(&path.subscription, group),
        kind.resource_type()
    );
    if kind.depth() > 1 {
        let parent = path.ancestor(kind.depth() - 1).to_string();
        let parent = world
            .document(&parent)
            .map_or(parent.clone(), |parent| text(parent, "id").to_owned());
        let word = kind.resource_type().rsplit('/').next().unwrap_or_default();
        id = format!("{parent}/{word}");
    }
    format!("{id}/{}", own.name())
}

pub(super) fn wrong_method(path: &ResourcePath) -> Refusal {
    Refusal::gateway(
        405,
        "UnsupportedHttpMethod",
        format!(
            "The resource type '{}' does not allow this method here.",
            path.resource_type()
        ),
    )
}

/// 404 for something that a write needs.
pub(super) fn absent(world: &World, path: &ResourcePath) -> Refusal {
    let group = path.resource_group.clone().unwrap_or_default();
    match groups::require(world, &path.subscription, &group) {
        Err(refusal) => refusal,
        Ok(_) => not_found(&path.resource_type(), path.name(), &group),
    }
}

/// The type's own completion and checks of a PUT body.
///
/// # Errors
/// ARM's refusal.
pub(super) fn prepare(
    world: &World,
    kind: Kind,
    id: &str,
    body: &Value,
    previous: Option<&Value>,
    guid: &str,
) -> Result<(Value, bool), Refusal> {
    match kind {
        Kind::LoadBalancer => load_balancer::prepare(world, id, body, previous, guid)
            .map(|prepared| (prepared.document, prepared.takes_time)),
        Kind::PublicIp => public_ip::prepare(world, id, body, previous, guid),
        Kind::PublicIpPrefix => public_ip_prefix::prepare(world, id, body, previous, guid),
        Kind::NetworkInterface => network_interface::prepare(world, id, body, previous, guid),
        Kind::VirtualNetwork => virtual_network::prepare(world, id, body, previous, guid),
        Kind::NetworkSecurityGroup => network_security_group::prepare(id, body, previous, guid),
        Kind::VirtualMachine
        | Kind::RunCommand
        | Kind::ScaleSet
        | Kind::ScaleSetInstance
        | Kind::InstanceInterface
        | Kind::InstanceRunCommand => {
            let mut document =
                virtual_machine::complete(kind.resource_type(), id, body, previous, guid);
            if kind == Kind::ScaleSetInstance {
                scale_set::name_instance(&mut document);
            }
            Ok((document, true))
        }
    }
}

fn put(
    world: &mut World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
    id: &str,
) -> Result<ArmAnswer, Refusal> {
    let body = context.body()?;
    let existing = world.resource(id).cloned();
    check_location(&body, existing.as_ref(), id)?;
    preconditions(world, context, kind, id, existing.as_ref())?;
    refuse_while_deleting(existing.as_ref(), world, id)?;
    if world.settings.auto_create {
        make_up_subnets(world, &body);
    }
    let previous = existing.as_ref().map(|resource| &resource.document);
    let mut body = body;
    if let (Some(previous), true) = (previous, text(&body, "location").is_empty()) {
        body["location"] = previous.get("location").cloned().unwrap_or_default();
    }
    if kind == Kind::ScaleSetInstance {
        scale_set::make_interfaces(world, id, &mut body)?;
    }
    let guid = world.guid();
    let (document, takes_time) = prepare(world, kind, id, &body, previous, &guid)?;
    let operation = carry_out(
        world,
        context,
        kind,
        id,
        &document,
        (kind.noun(), takes_time),
    );
    let status = if existing.is_some() { 200 } else { 201 };
    let accepted = Accepted {
        id,
        status,
        operation: &operation,
        part: None,
    };
    Ok(answer_write(world, context, kind, path, &accepted))
}

/// Stores, then lets the neighbours feel it.
pub(super) fn carry_out(
    world: &mut World,
    context: &Context<'_>,
    kind: Kind,
    id: &str,
    document: &Value,
    how: (&str, bool),
) -> String {
    let previous = world.document(id).cloned();
    let write = Write {
        id,
        document: document.clone(),
        noun: how.0,
        takes_time: how.1,
    };
    let operation = begin_write(world, write, context.interference, context.now);
    match (kind, previous) {
        (Kind::LoadBalancer, Some(previous)) => detach::leave_dropped(world, &previous, document),
        (Kind::NetworkInterface, previous) => {
            let before = previous
                .as_ref()
                .map(network_interface::memberships)
                .unwrap_or_default();
            if before != network_interface::memberships(document) {
                let mut balancers = previous
                    .as_ref()
                    .map(network_interface::balancers_of)
                    .unwrap_or_default();
                balancers.extend(network_interface::balancers_of(document));
                // The load balancer's back-references move, so its etag does (FACTS 3, [INF]).
                balancers.iter().for_each(|balancer| world.touch(balancer));
            }
        }
        (Kind::VirtualMachine, _) => virtual_machine::hold_interfaces(world, document),
        _ => {}
    }
    operation
}

/// A write that was carried out, for its answer.
#[derive(Debug)]
pub(super) struct Accepted<'a> {
    pub(super) id: &'a str,
    pub(super) status: u16,
    pub(super) operation: &'a str,
    /// The part that was written, when it was not the whole resource.
    pub(super) part: Option<&'a [String]>,
}

/// 200 or 201 with what is there now.
pub(super) fn answer_write(
    world: &World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
    accepted: &Accepted<'_>,
) -> ArmAnswer {
    let Accepted {
        id,
        status,
        operation,
        part,
    } = *accepted;
    let Some(resource) = world.resource(id) else {
        return ArmAnswer::empty(status);
    };
    let shown = show(world, resource, context.version());
    let body = match part {
        Some(segments) => descend(&shown, segments).cloned().unwrap_or_default(),
        None => shown,
    };
    let mut answer = ArmAnswer::json(status, body);
    let location = location_of(resource);
    // FACTS 1: every PUT's answer carries Azure-AsyncOperation, even a finished one.
    answer = if kind.is_network() {
        operation_links(context, &path.subscription, &location, operation, answer)
    } else {
        compute_links(context, path, &location, operation, answer)
    };
    let running = world
        .operations
        .get(operation)
        .is_some_and(|operation| operation.ended.is_none());
    // Retry-After only on `Updating` answers (FACTS 1).
    match world.settings.retry_after.filter(|_| running) {
        Some(seconds) => answer.with_header("Retry-After", seconds.to_string()),
        None => answer,
    }
}

pub(super) fn location_of(resource: &Resource) -> String {
    let location = text(&resource.document, "location");
    if location.is_empty() {
        "westeurope".to_owned()
    } else {
        location.to_owned()
    }
}

/// Microsoft.Compute's status URLs; DELETE and POST get `Location` too (FACTS 8).
pub(super) fn compute_links(
    context: &Context<'_>,
    path: &ResourcePath,
    location: &str,
    operation: &str,
    answer: ArmAnswer,
) -> ArmAnswer {
    let link = |monitor: &str| {
        format!(
            "{}/subscriptions/{}/providers/Microsoft.Compute/locations/{location}/operations/{operation}?p={operation}{monitor}&api-version={}",
            context.request.base_url,
            path.subscription,
            context.version()
        )
    };
    let answer = answer
        .with_header("azure-asyncnotification", "Enabled")
        .with_header("Azure-AsyncOperation", link(""));
    if context.request.method == Method::Put || context.request.method == Method::Patch {
        return answer;
    }
    answer.with_header("Location", link("&monitor=true"))
}

/// Subnets that the body refers to come into being, in the lab's auto-create mode.
pub(super) fn make_up_subnets(world: &mut World, body: &Value) {
    let location = text(body, "location").to_owned();
    for array in ["ipConfigurations", "frontendIPConfigurations"] {
        for part in parts(body, array) {
            let v6 = property_text(part, "privateIPAddressVersion").eq_ignore_ascii_case("IPv6");
            if let Some(subnet) = reference(part, "subnet") {
                let absent = super::address::subnet(world, subnet).is_none();
                if absent && v6 {
                    virtual_network::ensure_subnet(world, subnet, &location, MADE_UP_PREFIX);
                }
                let prefix = if v6 {
                    MADE_UP_PREFIX_V6
                } else {
                    MADE_UP_PREFIX
                };
                virtual_network::ensure_subnet(world, subnet, &location, prefix);
            }
        }
    }
}

/// PATCH changes tags only, at once (FACTS 1).
fn patch(
    world: &mut World,
    context: &Context<'_>,
    id: &str,
    path: &ResourcePath,
) -> Result<ArmAnswer, Refusal> {
    let body = context.body()?;
    if world.resource(id).is_none() {
        return Err(absent(world, path));
    }
    let etag = world.etag();
    if let Some(resource) = world.resources.get_mut(&canonical(id)) {
        if let Some(tags) = body.get("tags").filter(|tags| tags.is_object()) {
            resource.document["tags"] = tags.clone();
        }
        resource.etag = etag;
    }
    world.revision += 1;
    let shown = world
        .resource(id)
        .map(|resource| show(world, resource, context.version()));
    Ok(ArmAnswer::json(200, shown.unwrap_or_default()))
}

fn delete(
    world: &mut World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
    id: &str,
) -> Result<ArmAnswer, Refusal> {
    let Some(existing) = world.resource(id).cloned() else {
        return Ok(ArmAnswer::empty(204));
    };
    // [OPEN] If-Match on DELETE; honoured.
    preconditions(world, context, kind, id, Some(&existing))?;
    deletable(world, kind, &existing.document)?;
    let running = existing
        .operation
        .clone()
        .filter(|_| existing.state == Provisioning::Deleting);
    let operation = match running {
        Some(running) => running,
        None => begin_delete(world, id, kind.noun(), context.interference, context.now),
    };
    Ok(answer_delete(
        world,
        context,
        kind,
        path,
        &location_of(&existing),
        &operation,
    ))
}

/// 202, empty, `Location` and `Azure-AsyncOperation` (FACTS 1: 26 of 26).
pub(super) fn answer_delete(
    world: &World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
    location: &str,
    operation: &str,
) -> ArmAnswer {
    let answer = ArmAnswer::empty(202);
    let answer = if kind.is_network() {
        let results = url(
            context.request,
            &path.subscription,
            &path.namespace,
            location,
            "operationResults",
            operation,
        );
        operation_links(context, &path.subscription, location, operation, answer)
            .with_header("Location", results)
    } else {
        compute_links(context, path, location, operation, answer)
    };
    match world.settings.retry_after {
        Some(seconds) => answer.with_header("Retry-After", seconds.to_string()),
        None => answer,
    }
}
