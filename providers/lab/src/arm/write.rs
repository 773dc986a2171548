//! PUT, PATCH and DELETE: preconditions, the type's own preparation, and the operation that follows.

use serde_json::{Value, json};

use super::answer::{Context, operation_links};
use super::document::{parts, property_text, reference, references, text};
use super::fault::{Interference, NicIfMatch};
use super::kind::Kind;
use super::load_balancer::with_child;
use super::message::{ArmAnswer, Method};
use super::operation::{Write, begin_delete, begin_write, url};
use super::refusal::{Refusal, etag_mismatch, not_found, retryable};
use super::resource_id::{ResourcePath, canonical, last_name, resource_group_id};
use super::shown::{descend, show, users_of_public_ip};
use super::world::{Provisioning, Resource, World};
use super::{
    detach, load_balancer, network_interface, network_security_group, public_ip, public_ip_prefix,
    resource_group as groups, run_command, virtual_machine, virtual_network,
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
    if !path.names_resource() || path.segments.len() < kind.depth() * 2 {
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
        (Method::Put | Method::Patch, false) if kind == Kind::RunCommand => {
            managed_command(world, context, path, &id)
        }
        (Method::Put, false) => put(world, context, kind, path, &id),
        (Method::Patch, false) => patch(world, context, &id, path),
        (Method::Delete, false) => delete(world, context, kind, path, &id),
        (_, true) => child(world, context, kind, path, &id),
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
    if kind == Kind::RunCommand {
        let machine = world
            .document(&path.ancestor(1).to_string())
            .map(|machine| text(machine, "id").to_owned());
        let machine = machine.unwrap_or_else(|| path.ancestor(1).to_string());
        id = format!("{machine}/runCommands");
    }
    format!("{id}/{}", own.name())
}

fn wrong_method(path: &ResourcePath) -> Refusal {
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
        Kind::VirtualMachine | Kind::RunCommand => {
            Ok((virtual_machine::complete(id, body, previous, guid), true))
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
    Ok(answer_write(
        world, context, kind, path, id, status, &operation, None,
    ))
}

/// Stores, then lets the neighbours feel it.
fn carry_out(
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

#[expect(
    clippy::too_many_arguments,
    reason = "one answer is made of all of these"
)]
fn answer_write(
    world: &World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
    id: &str,
    status: u16,
    operation: &str,
    part: Option<&[String]>,
) -> ArmAnswer {
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

fn location_of(resource: &Resource) -> String {
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

/// A resource does not move; wording from memory of the service [INF].
fn check_location(body: &Value, existing: Option<&Resource>, id: &str) -> Result<(), Refusal> {
    let given = super::document::plain_location(text(body, "location"));
    match existing {
        None if given.is_empty() => Err(Refusal::gateway(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        )),
        Some(existing) if !given.is_empty() && given != text(&existing.document, "location") => {
            Err(Refusal::gateway(
                409,
                "InvalidResourceLocation",
                format!(
                    "The resource '{}' already exists in location '{}'. A resource with the same name cannot be created in \
                 location '{given}'. Please select a new resource name.",
                    last_name(id),
                    text(&existing.document, "location")
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// `If-Match` and `If-None-Match` (FACTS 3). For load balancers and public IPs the 412 is reported;
/// for interfaces it is [OPEN] and a fault chooses; `If-None-Match: *` is [OPEN] and honoured.
fn preconditions(
    world: &World,
    context: &Context<'_>,
    kind: Kind,
    id: &str,
    existing: Option<&Resource>,
) -> Result<(), Refusal> {
    if context.request.if_none_match.as_deref() == Some("*") && existing.is_some() {
        return Err(
            Refusal::gateway(412, "PreconditionFailed", "Precondition failed.").with_detail(
                "PreconditionFailedResourceExists",
                format!("Resource {id} exists already."),
            ),
        );
    }
    let Some(given) = context
        .request
        .if_match
        .as_deref()
        .filter(|given| *given != "*")
    else {
        return Ok(());
    };
    if kind == Kind::NetworkInterface {
        match world.faults.nic_if_match() {
            NicIfMatch::Honoured => {}
            NicIfMatch::Ignored => return Ok(()),
            NicIfMatch::Refused => {
                return Err(Refusal::bad(
                    "InvalidHeaderValue",
                    format!("The If-Match header is not supported for resource {id}."),
                ));
            }
        }
    }
    let actual = existing.map_or("W/\"none\"", |existing| existing.etag.as_str());
    if given == actual {
        Ok(())
    } else {
        Err(etag_mismatch(given, actual, id))
    }
}

/// [OPEN] what a write to a resource that is being deleted gets; the body is the recorded one of
/// "another operation is changing it".
fn refuse_while_deleting(
    existing: Option<&Resource>,
    world: &World,
    id: &str,
) -> Result<(), Refusal> {
    let Some(resource) = existing.filter(|resource| resource.state == Provisioning::Deleting)
    else {
        return Ok(());
    };
    let running = resource.operation.clone().unwrap_or_default();
    let name = world
        .operations
        .get(&running)
        .map_or("DeleteOperation", |operation| operation.name.as_str());
    Err(retryable(
        "RetryableErrorDueToAnotherOperation",
        format!(
            "Operation {name} ({running}) is updating resource {id}. The call can be retried in 1 seconds."
        ),
    ))
}

/// Subnets that the body refers to come into being, in the lab's auto-create mode.
fn make_up_subnets(world: &mut World, body: &Value) {
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
fn answer_delete(
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

/// What is in use cannot go (errors.json, recorded bodies).
fn deletable(world: &World, kind: Kind, document: &Value) -> Result<(), Refusal> {
    let id = text(document, "id");
    match kind {
        Kind::PublicIp => match users_of_public_ip(world, id).first() {
            None => Ok(()),
            Some(user) => Err(Refusal::bad(
                "PublicIPAddressCannotBeDeleted",
                format!(
                    "Public IP address {id} can not be deleted since it is still allocated to resource {user}. In order to \
                     delete the public IP, disassociate/detach the Public IP address from the resource.  To learn how to \
                     do this, see aka.ms/deletepublicip."
                ),
            )),
        },
        Kind::NetworkInterface => match reference(document, "virtualMachine") {
            None => Ok(()),
            Some(machine) => Err(Refusal::bad(
                "NicInUse",
                format!(
                    "Network Interface {id} is used by existing resource {machine}. In order to delete the network \
                     interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."
                ),
            )),
        },
        Kind::VirtualNetwork => parts(document, "subnets")
            .iter()
            .try_for_each(|subnet| virtual_network::unused(world, text(subnet, "id"))),
        Kind::NetworkSecurityGroup => network_security_group::unused(world, id),
        Kind::PublicIpPrefix => {
            let shown = world
                .resource(id)
                .map(|resource| show(world, resource, "9999"))
                .unwrap_or_default();
            match references(&shown, "publicIPAddresses").first() {
                None => Ok(()),
                // Code from memory of the service [INF].
                Some(user) => Err(Refusal::bad(
                    "PublicIpPrefixCannotBeDeleted",
                    format!(
                        "Public IP prefix {id} can not be deleted since it is still in use by {user}."
                    ),
                )),
            }
        }
        Kind::LoadBalancer | Kind::VirtualMachine | Kind::RunCommand => Ok(()),
    }
}

/// PUT and DELETE of a part: the parent as a whole with that part changed.
fn child(
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
    Ok(answer_write(
        world,
        context,
        kind,
        path,
        id,
        status,
        &operation,
        Some(segments),
    ))
}

fn managed_command(
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

/// A resource group's own verbs.
///
/// # Errors
/// ARM's refusal.
pub(super) fn resource_group(
    world: &mut World,
    context: &Context<'_>,
    subscription: &str,
    name: &str,
) -> Result<ArmAnswer, Refusal> {
    let id = resource_group_id(subscription, name);
    let existing = world.document(&id).cloned();
    match context.request.method {
        Method::Get => Ok(ArmAnswer::json(
            200,
            groups::require(world, subscription, name)?.clone(),
        )),
        // `az group exists` asks with HEAD.
        Method::Head => Ok(ArmAnswer::empty(if existing.is_some() { 204 } else { 404 })),
        Method::Put => {
            let mut body = context.body()?;
            match &existing {
                Some(existing) => {
                    body["location"] = existing.get("location").cloned().unwrap_or_default();
                }
                None if text(&body, "location").is_empty() => {
                    return Err(Refusal::gateway(
                        400,
                        "LocationRequired",
                        "The location property is required for this definition.",
                    ));
                }
                None => {}
            }
            let document = groups::complete(subscription, name, &body);
            world.put(&id, document.clone());
            Ok(ArmAnswer::json(
                if existing.is_some() { 200 } else { 201 },
                document,
            ))
        }
        Method::Patch => {
            let mut document = groups::require(world, subscription, name)?.clone();
            if let Some(tags) = context.body()?.get("tags") {
                document["tags"] = tags.clone();
            }
            world.put(&id, document.clone());
            Ok(ArmAnswer::json(200, document))
        }
        Method::Delete => {
            groups::require(world, subscription, name)?;
            for member in groups::contents(world, subscription, name) {
                begin_delete(
                    world,
                    &member,
                    "Resource",
                    &Interference::default(),
                    context.now,
                );
            }
            let operation = begin_delete(
                world,
                &id,
                "ResourceGroup",
                context.interference,
                context.now,
            );
            let link = format!(
                "{}/subscriptions/{subscription}/operationresults/{operation}?api-version={}",
                context.request.base_url,
                context.version()
            );
            Ok(ArmAnswer::empty(202).with_header("Location", link))
        }
        Method::Post => Err(Refusal::gateway(
            405,
            "UnsupportedHttpMethod",
            "A resource group knows no such action.",
        )),
    }
}
