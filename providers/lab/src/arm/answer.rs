//! The pure heart: one request in, the world changed, one answer out.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalog::{self, Identity};
use super::document::text;
use super::fault::Dropped;
use super::kind::Kind;
use super::message::{ArmAnswer, ArmRequest, Delivery, Method};
use super::operation::{self, poll, settle};
use super::refusal::Refusal;
use super::resource_id::{ResourcePath, canonical, resource_group_id};
use super::world::World;
use super::{
    api_version, deployment, read, resource_group, run_command, virtual_machine, write, write_group,
};

/// Answers one request as Azure Resource Manager would.
pub fn answer(
    world: &mut World,
    identity: &Identity,
    request: &ArmRequest,
    now: Timestamp,
) -> ArmAnswer {
    settle(world, now);
    let interference = world.faults.take(request.method, &request.path);
    let undone = match (interference.dropped, interference.held) {
        (Some(Dropped::Before), _) => Some(Delivery::Drop),
        (_, Some(Dropped::Before)) => Some(Delivery::Never),
        (_, _) => None,
    };
    if let Some(delivery) = undone {
        return ArmAnswer {
            delivery,
            ..ArmAnswer::default()
        };
    }
    let mut answer = match interference.refusal.clone() {
        Some(refusal) => {
            let mut answer = refusal.into_answer();
            if let Some(seconds) = interference.retry_after {
                answer = answer.with_header("Retry-After", seconds.to_string());
            }
            answer
        }
        None => {
            let context = Context {
                identity,
                request,
                interference: &interference,
                now,
            };
            route(world, &context).unwrap_or_else(Refusal::into_answer)
        }
    };
    if interference.dropped == Some(Dropped::After) {
        answer.delivery = Delivery::Drop;
    }
    if interference.held == Some(Dropped::After) {
        answer.delivery = Delivery::Never;
    }
    if request.method == Method::Head {
        answer.body = None;
    }
    trace(world, request, answer)
}

/// What every handler may look at beside the world.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub identity: &'a Identity,
    pub request: &'a ArmRequest,
    pub interference: &'a super::fault::Interference,
    pub now: Timestamp,
}

impl Context<'_> {
    pub(super) fn version(&self) -> &str {
        self.request.parameter("api-version").unwrap_or_default()
    }

    /// The date, as api-versions are written.
    fn today(&self) -> String {
        self.now.to_string().chars().take(10).collect()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `InvalidRequestContent` when it is not a JSON object with an object of properties.
    pub(super) fn body(&self) -> Result<Value, Refusal> {
        let refuse = |why: String| {
            Refusal::gateway(
                400,
                "InvalidRequestContent",
                format!("The request content was invalid and could not be deserialized: '{why}'."),
            )
        };
        let mut body: Value = serde_json::from_slice(&self.request.body)
            .map_err(|error| refuse(error.to_string()))?;
        let Some(members) = body.as_object_mut() else {
            return Err(refuse("the body is not an object".to_owned()));
        };
        match members.get("properties") {
            Some(Value::Null) => {
                members.shift_remove("properties");
            }
            Some(properties) if !properties.is_object() => {
                return Err(refuse("properties is not an object".to_owned()));
            }
            _ => {}
        }
        Ok(body)
    }
}

pub(super) fn route(world: &mut World, context: &Context<'_>) -> Result<ArmAnswer, Refusal> {
    let path = context.request.path.trim_end_matches('/');
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let resource = ResourcePath::parse(path);
    if resource.is_none() {
        api_version::check(
            context.request.parameter("api-version"),
            "",
            "",
            None,
            &context.today(),
        )?;
    }
    let reading = !context.request.method.writes();
    match (lower.as_slice(), &words.as_slice()) {
        (["tenants"], _) if reading => Ok(ArmAnswer::json(200, catalog::tenants(context.identity))),
        (["subscriptions"], _) if reading => Ok(ArmAnswer::json(
            200,
            catalog::subscriptions(world, context.identity),
        )),
        (["subscriptions", _], [_, id]) if reading => Ok(ArmAnswer::json(
            200,
            catalog::subscription(context.identity, id),
        )),
        (["subscriptions", _, "locations"], [_, id, _]) if reading => {
            Ok(ArmAnswer::json(200, catalog::locations(id)))
        }
        (["subscriptions", _, "providers"], [_, id, _]) if reading => {
            Ok(ArmAnswer::json(200, catalog::providers(id)))
        }
        (["subscriptions", _, "providers", _], [_, id, _, namespace]) if reading => {
            provider(id, namespace)
        }
        (["subscriptions", _, "providers", _, "register"], [_, id, _, namespace, _]) => {
            provider(id, namespace)
        }
        (["subscriptions", _, "resources"], [_, id, _]) if reading => Ok(read::everything(
            world,
            context,
            &format!("/subscriptions/{id}/resourcegroups/"),
        )),
        (["subscriptions", _, "resourcegroups", _, "resources"], [_, id, _, group, _])
            if reading =>
        {
            resource_group::require(world, id, group)?;
            Ok(read::everything(
                world,
                context,
                &format!("{}/providers/", resource_group_id(id, group)),
            ))
        }
        (["subscriptions", _, "resourcegroups"], [_, id, _]) if reading => {
            Ok(read::groups(world, id))
        }
        (["subscriptions", _, "resourcegroups", _], [_, id, _, group]) => {
            write_group::resource_group(world, context, id, group)
        }
        (["subscriptions", _, "operationresults", id], _) => Ok(group_poll(world, id)),
        (
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.resources",
                "deployments",
                ..,
            ],
            [_, id, _, group, _, _, _, rest @ ..],
        ) => deployment::answer(world, context, (id, group), rest),
        _ => match resource {
            Some(resource) => below_provider(world, context, &resource),
            None => Err(Refusal::gateway(
                404,
                "NotFound",
                format!("No HTTP resource was found that matches the request URI '{path}'."),
            )),
        },
    }
}

fn provider(subscription: &str, namespace: &str) -> Result<ArmAnswer, Refusal> {
    let provider = catalog::provider(subscription, namespace).ok_or_else(|| {
        Refusal::gateway(
            404,
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid."),
        )
    })?;
    Ok(ArmAnswer::json(200, provider))
}

/// A resource group's deletion is asked about without a provider.
fn group_poll(world: &World, id: &str) -> ArmAnswer {
    match world
        .operations
        .get(id)
        .map(|operation| operation.ended.is_some())
    {
        Some(true) => ArmAnswer::empty(200),
        Some(false) => ArmAnswer::empty(202),
        None => Refusal::gateway(404, "NotFound", "The operation was not found.").into_answer(),
    }
}

fn below_provider(
    world: &mut World,
    context: &Context<'_>,
    path: &ResourcePath,
) -> Result<ArmAnswer, Refusal> {
    let request = context.request;
    let kind = path.resource_type();
    let short = kind.split_once('/').map_or("", |(_, kind)| kind).to_owned();
    let location = writing_location(world, context, path);
    api_version::check(
        request.parameter("api-version"),
        &path.namespace,
        &short,
        location.as_deref(),
        &context.today(),
    )?;
    if let [first, _, which, id] = path.segments.as_slice()
        && first.eq_ignore_ascii_case("locations")
        && path.resource_group.is_none()
    {
        return Ok(location_poll(world, context, path, which, id));
    }
    let known = Kind::of(path);
    let Some(kind) = known else {
        return Err(Refusal::gateway(
            404,
            "InvalidResourceType",
            format!(
                "The resource type '{short}' could not be found in the namespace '{}' for api version '{}'.",
                path.namespace,
                context.version()
            ),
        ));
    };
    match request.method {
        Method::Get | Method::Head => read::resource(world, context, kind, path),
        Method::Put | Method::Patch | Method::Delete => write::resource(world, context, kind, path),
        Method::Post => post(world, context, kind, path),
    }
}

/// The location that a write names, or that its target has.
fn writing_location(world: &World, context: &Context<'_>, path: &ResourcePath) -> Option<String> {
    if context.request.method != Method::Put {
        return None;
    }
    let body: Option<Value> = serde_json::from_slice(&context.request.body).ok();
    let given = body
        .as_ref()
        .map(|body| text(body, "location"))
        .filter(|given| !given.is_empty());
    let held = world
        .document(&path.ancestor(1).to_string())
        .map(|document| text(document, "location"));
    Some(given.or(held).unwrap_or("westeurope").to_owned())
}

fn location_poll(
    world: &World,
    context: &Context<'_>,
    path: &ResourcePath,
    which: &str,
    id: &str,
) -> ArmAnswer {
    let results = which.eq_ignore_ascii_case("operationResults");
    if path.namespace.eq_ignore_ascii_case("Microsoft.Compute") {
        return compute_poll(world, context, id);
    }
    if results || which.eq_ignore_ascii_case("operations") {
        return poll(world, context.request, id, results);
    }
    Refusal::gateway(404, "NotFound", "The resource was not found.").into_answer()
}

/// `monitor=true` is the Location URL of Microsoft.Compute (FACTS 8).
fn compute_poll(world: &World, context: &Context<'_>, id: &str) -> ArmAnswer {
    let Some(operation) = world.operations.get(id) else {
        return Refusal::service(404, "NotFound", format!("Operation {id} not found."))
            .into_answer();
    };
    let monitor = context.request.parameter("monitor") == Some("true");
    let mut answer = match (&operation.ended, monitor) {
        (None, true) => {
            ArmAnswer::empty(202).with_header("Location", compute_url(context, id, true))
        }
        (Some(ended), true) => match (&ended.output, &ended.error) {
            (_, Some(error)) => ArmAnswer::json(200, json!({"error": error})),
            (Some(output), None) => ArmAnswer::json(200, json!({"value": output})),
            (None, None) => ArmAnswer::empty(204),
        },
        (_, false) => ArmAnswer::json(200, run_command::poll_body(id, operation)),
    };
    if let (None, Some(seconds)) = (&operation.ended, world.settings.retry_after) {
        answer = answer.with_header("Retry-After", seconds.to_string());
    }
    answer
}

fn compute_url(context: &Context<'_>, id: &str, monitor: bool) -> String {
    let stem = context
        .request
        .path
        .rsplit_once('/')
        .map_or("", |(stem, _)| stem);
    let monitor = if monitor { "&monitor=true" } else { "" };
    format!(
        "{}{stem}/{id}?p={id}{monitor}&api-version={}",
        context.request.base_url,
        context.version()
    )
}

/// Actions: Run Command, and the power of machines.
fn post(
    world: &mut World,
    context: &Context<'_>,
    kind: Kind,
    path: &ResourcePath,
) -> Result<ArmAnswer, Refusal> {
    let machine = path.ancestor(kind.depth());
    let (Some(action), true, true) = (
        path.segments.get(kind.depth() * 2),
        path.segments.len() == kind.depth() * 2 + 1,
        kind.is_machine(),
    ) else {
        return Err(unserved(path));
    };
    let id = machine.to_string();
    let Some(document) = world.document(&id).cloned() else {
        return Err(write::absent(world, &machine));
    };
    let location = text(&document, "location").to_owned();
    if let Some(power) = virtual_machine::power_after(action) {
        let turned = operation::Write {
            id: &id,
            document: virtual_machine::with_power(&document, power),
            noun: "VirtualMachinePower",
            takes_time: true,
        };
        let operation = operation::begin_write(world, turned, context.interference, context.now);
        let accepted = ArmAnswer::empty(202);
        return Ok(write::compute_links(
            context, path, &location, &operation, accepted,
        ));
    }
    if !action.eq_ignore_ascii_case("runCommand") {
        return Err(unserved(path));
    }
    let body = context.body()?;
    let (operation, script) = run_command::begin_action(world, &id, &body, context.now)?;
    let accepted = ArmAnswer::empty(202);
    let mut answer = write::compute_links(context, path, &location, &operation, accepted);
    answer.script = Some((operation, script));
    Ok(answer)
}

fn unserved(path: &ResourcePath) -> Refusal {
    Refusal::gateway(
        404,
        "InvalidResourceType",
        format!(
            "The lab serves no such action: '{}'.",
            canonical(&path.to_string())
        ),
    )
}

/// The headers that every answer of ARM carries (FACTS 7).
fn trace(world: &mut World, request: &ArmRequest, mut answer: ArmAnswer) -> ArmAnswer {
    let id = world.guid();
    let (which, left) = match request.method {
        Method::Delete => ("x-ms-ratelimit-remaining-subscription-deletes", "14999"),
        method if method.writes() => ("x-ms-ratelimit-remaining-subscription-writes", "1199"),
        _ => ("x-ms-ratelimit-remaining-subscription-reads", "11999"),
    };
    answer.headers.push(("x-ms-request-id", id.clone()));
    answer.headers.push(("x-ms-correlation-request-id", id));
    answer.headers.push((which, left.to_owned()));
    answer
}

/// The status URL of an operation on a resource of Microsoft.Network.
pub(super) fn operation_links(
    context: &Context<'_>,
    subscription: &str,
    location: &str,
    id: &str,
    answer: ArmAnswer,
) -> ArmAnswer {
    let link = operation::url(
        context.request,
        subscription,
        "Microsoft.Network",
        location,
        "operations",
        id,
    );
    answer
        .with_header("azure-asyncnotification", "Enabled")
        .with_header("Azure-AsyncOperation", link)
}
