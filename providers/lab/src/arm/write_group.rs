//! A resource group's own verbs.

use super::answer::Context;
use super::document::text;
use super::fault::Interference;
use super::message::{ArmAnswer, Method};
use super::operation::begin_delete;
use super::refusal::Refusal;
use super::resource_group as groups;
use super::resource_id::resource_group_id;
use super::world::World;

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
