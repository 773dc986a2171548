//! What a write must find before it is looked at: location, `If-Match`, no deletion under way.

use serde_json::Value;

use super::answer::Context;
use super::document::text;
use super::fault::NicIfMatch;
use super::kind::Kind;
use super::refusal::{Refusal, etag_mismatch, retryable};
use super::resource_id::last_name;
use super::world::{Provisioning, Resource, World};

/// A resource does not move; wording from memory of the service [INF].
pub(super) fn check_location(
    body: &Value,
    existing: Option<&Resource>,
    id: &str,
) -> Result<(), Refusal> {
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
pub(super) fn preconditions(
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
pub(super) fn refuse_while_deleting(
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
