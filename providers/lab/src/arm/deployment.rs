//! Template deployments, as far as azure-cli's own go: `az network lb create` sends one.
//!
//! Resources are literal, in the order in which they depend on each other; outputs are literal or `[reference('name')]`.
//! Any other expression is refused by name: this is no template engine.

use serde_json::{Map, Value, json};

use super::answer::{Context, route};
use super::document::{list, text, top};
use super::message::{ArmAnswer, ArmRequest, Method};
use super::operation::{Ended, Write, begin_write, settle};
use super::refusal::{Refusal, not_found};
use super::resource_group;
use super::resource_id::{canonical, resource_group_id};
use super::shown::show;
use super::world::World;

const TYPE: &str = "Microsoft.Resources/deployments";

/// `PUT` and `GET …/deployments/{name}`, and `GET …/deployments/{name}/operationStatuses/{id}`.
///
/// # Errors
/// ARM's refusal.
pub(super) fn answer(
    world: &mut World,
    context: &Context<'_>,
    (subscription, group): (&str, &str),
    rest: &[&str],
) -> Result<ArmAnswer, Refusal> {
    resource_group::require(world, subscription, group)?;
    let group_id = resource_group_id(subscription, group);
    match (context.request.method, rest) {
        (Method::Put, [name]) => put(world, context, &group_id, name),
        (Method::Get, [name]) => {
            let id = format!("{group_id}/providers/{TYPE}/{name}");
            let resource = world
                .visible(&id, context.now)
                .ok_or_else(|| not_found(TYPE, name, group))?;
            let shown = show(world, resource, context.version());
            Ok(ArmAnswer::json(200, shown))
        }
        (Method::Get, [_, _, operation]) => status(world, operation),
        _ => Err(Refusal::gateway(
            405,
            "UnsupportedHttpMethod",
            "The lab deploys templates and shows deployments, no more.",
        )),
    }
}

/// Recorded: `{"status":"Succeeded"}` and nothing else; a failure names what failed.
fn status(world: &World, operation: &str) -> Result<ArmAnswer, Refusal> {
    let found = world.operations.get(operation).ok_or_else(|| {
        let message = format!("The deployment operation '{operation}' could not be found.");
        Refusal::gateway(404, "DeploymentOperationNotFound", message)
    })?;
    let body = match &found.ended {
        None => json!({"status": "Running"}),
        Some(Ended {
            status,
            error: Some(error),
            ..
        }) => json!({"status": status, "error": error}),
        Some(Ended { status, .. }) => json!({"status": status}),
    };
    Ok(ArmAnswer::json(200, body))
}

fn put(
    world: &mut World,
    context: &Context<'_>,
    group: &str,
    name: &str,
) -> Result<ArmAnswer, Refusal> {
    let body = context.body()?;
    let template = body.pointer("/properties/template").ok_or_else(|| {
        let message = "The request content was invalid: a deployment needs a template.";
        Refusal::gateway(400, "InvalidRequestContent", message)
    })?;
    let resources = in_order(list(template, "resources"));
    resources.iter().try_for_each(literal)?;
    let id = format!("{group}/providers/{TYPE}/{name}");
    let (outputs, failure) = match carry_out(world, context, group, &resources) {
        Ok(()) => (outputs(world, context, group, template, &resources)?, None),
        Err(refusal) => (Map::new(), Some(refusal)),
    };
    let mut properties = Map::new();
    properties.insert("mode".to_owned(), json!("Incremental"));
    properties.insert("provisioningState".to_owned(), json!("Accepted"));
    properties.insert("timestamp".to_owned(), json!(context.now.to_string()));
    properties.insert("outputs".to_owned(), Value::Object(outputs));
    let existed = world.document(&id).is_some();
    let write = Write {
        id: &id,
        document: top(&json!({}), &id, name, TYPE, properties),
        noun: "Deployment",
        takes_time: true,
    };
    let operation = begin_write(world, write, context.interference, context.now);
    if let Some(refusal) = failure {
        fail(world, &id, &operation, &refusal, context);
    }
    let link = format!(
        "{}{id}/operationStatuses/{operation}?api-version={}",
        context.request.base_url,
        context.version()
    );
    let shown = world
        .resource(&id)
        .map(|resource| show(world, resource, context.version()));
    let status = if existed { 200 } else { 201 };
    let answer = ArmAnswer::json(status, shown.unwrap_or_default());
    Ok(answer.with_header("Azure-AsyncOperation", link))
}

/// What others depend on comes first.
fn in_order(resources: &[Value]) -> Vec<Value> {
    let mut left: Vec<Value> = resources.to_vec();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |resource: &Value| {
            list(resource, "dependsOn")
                .iter()
                .filter_map(Value::as_str)
                .any(|on| {
                    left.iter().any(|other| {
                        let end = format!("{}/{}", text(other, "type"), text(other, "name"));
                        on.to_ascii_lowercase().ends_with(&end.to_ascii_lowercase())
                    })
                })
        };
        // A circle is taken as it comes; its first write is refused for what is not there.
        let next = left
            .iter()
            .position(|resource| !waits(resource))
            .unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// Refuses expressions: a text that begins with one bracket.
fn literal(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::String(text) if text.starts_with('[') && !text.starts_with("[[") => {
            Err(Refusal::gateway(
                400,
                "InvalidTemplate",
                format!("The lab's deployments know no template expression such as '{text}'."),
            ))
        }
        Value::Object(members) => members.values().try_for_each(literal),
        Value::Array(items) => items.iter().try_for_each(literal),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn id_of(group: &str, resource: &Value) -> String {
    let kind = text(resource, "type");
    format!("{group}/providers/{kind}/{}", text(resource, "name"))
}

/// One PUT after the other, each finished before the next: the deployment's own operation takes the time.
fn carry_out(
    world: &mut World,
    context: &Context<'_>,
    group: &str,
    resources: &[Value],
) -> Result<(), Refusal> {
    let slowness = std::mem::take(&mut world.settings.updating_for);
    let mut done = Ok(());
    for resource in resources {
        let url = format!(
            "{}?api-version={}",
            id_of(group, resource),
            text(resource, "apiVersion")
        );
        let request = ArmRequest::new(Method::Put, &url, Some(&body_of(resource)));
        let inner = Context {
            request: &request,
            interference: &super::fault::Interference::default(),
            ..*context
        };
        done = route(world, &inner).map(|_| ());
        settle(world, context.now);
        if done.is_err() {
            break;
        }
    }
    world.settings.updating_for = slowness;
    done
}

/// What belongs to the template and not to the resource is left out.
fn body_of(resource: &Value) -> Value {
    let members = resource.as_object().into_iter().flatten();
    let own = members.filter(|(name, _)| {
        !["type", "name", "apiVersion", "dependsOn", "comments"].contains(&name.as_str())
    });
    Value::Object(
        own.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

/// `[reference('web')]` is the resource's `properties`.
fn outputs(
    world: &World,
    context: &Context<'_>,
    group: &str,
    template: &Value,
    resources: &[Value],
) -> Result<Map<String, Value>, Refusal> {
    let asked = template.get("outputs").and_then(Value::as_object);
    let mut all = Map::new();
    for (name, output) in asked.into_iter().flatten() {
        let value = output.get("value").unwrap_or(&Value::Null);
        let named = value
            .as_str()
            .and_then(|text| text.strip_prefix("[reference('")?.strip_suffix("')]"));
        let value = match named {
            None => {
                literal(value)?;
                value.clone()
            }
            Some(named) => resources
                .iter()
                .find(|resource| text(resource, "name") == named)
                .and_then(|resource| world.resource(&id_of(group, resource)))
                .and_then(|found| {
                    show(world, found, context.version())
                        .get("properties")
                        .cloned()
                })
                .unwrap_or_default(),
        };
        all.insert(
            name.clone(),
            json!({"type": text(output, "type"), "value": value}),
        );
    }
    Ok(all)
}

/// The shape of a failed deployment is from memory of the service [INF]; the inner error is the resource provider's.
fn fail(world: &mut World, id: &str, operation: &str, refusal: &Refusal, context: &Context<'_>) {
    let error = Refusal::gateway(
        409,
        "DeploymentFailed",
        "At least one resource deployment operation failed. Please list deployment operations for details. Please see \
         https://aka.ms/arm-deployment-operations for usage details.",
    )
    .with_detail(&refusal.code, refusal.message.clone())
    .error();
    if let Some(resource) = world.resources.get_mut(&canonical(id)) {
        resource.state = super::world::Provisioning::Failed;
        resource.operation = None;
    }
    if let Some(operation) = world.operations.get_mut(operation) {
        operation.ended = Some(Ended {
            at: context.now,
            status: "Failed".to_owned(),
            error: Some(error),
            output: None,
        });
    }
}
