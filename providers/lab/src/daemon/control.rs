//! The control routes below `/_lab/`: what `plimsoll lab …` asks of the daemon.
//!
//! Every request needs the control token from `lab.json`, which only the lab's owner can read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::scripts::GuestScripts;
use super::world::{GuestStatus, World};
use crate::agent::ProbeOrder;
use crate::arm::{ArmRequest, Method, RunScript as _, Store};
use crate::layout::Layout;
use crate::seed::{Route, Seed, Silence};

#[derive(Debug)]
pub(super) struct Control {
    pub world: Arc<World>,
    pub store: Store,
    pub layout: Layout,
    pub token: String,
    pub down: Notify,
    /// Counts up, so that the daemon knows that it is used.
    pub requests: AtomicU64,
}

/// What `status` answers; how to reach the lab is in `lab.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WorldStatus {
    pub guests: Vec<GuestStatus>,
    /// The last result of each health probe: kind, address, port and path; true is up.
    pub probes: BTreeMap<String, bool>,
    pub faults: Vec<String>,
}

/// A request to the emulator, as `lab arm` sends it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ArmOrder {
    pub method: String,
    pub id: String,
    #[serde(default)]
    pub body: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FaultOrder {
    pub fault: String,
}

/// A refusal with the words for the person who asked.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// An error of the caller's making, or ours; either way with its whole chain.
fn bad(error: &dyn std::error::Error) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, crate::error::chain(error))
}

type Answer = Result<Json<Value>, Refusal>;

pub(super) fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/_lab/seed", post(seed))
        .route("/_lab/status", get(status))
        .route("/_lab/probe", post(probe))
        .route("/_lab/requests", get(requests).delete(clear_requests))
        .route("/_lab/fault", post(fault))
        .route("/_lab/load", post(load))
        .route("/_lab/arm", post(arm))
        .route("/_lab/reboot/{guest}", post(reboot))
        .route("/_lab/silence/{guest}", post(silence))
        .route("/_lab/route", post(route))
        .route("/_lab/down", post(down))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&control),
            authorize,
        ))
        .with_state(control)
}

async fn authorize(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let expected = format!("Bearer {}", control.token);
    let given = request.headers().get(header::AUTHORIZATION);
    if given.is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        let text = "The lab's control routes need the token from lab.json.".to_owned();
        return Refusal(StatusCode::UNAUTHORIZED, text).into_response();
    }
    control.requests.fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

async fn seed(State(control): State<Arc<Control>>, Json(seed): Json<Seed>) -> Answer {
    let store = &control.store;
    let interfaces = store.documents("Microsoft.Network/networkInterfaces");
    let mut known = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for nic in &interfaces {
        for configuration in nic
            .pointer("/properties/ipConfigurations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let address = configuration
                .pointer("/properties/privateIPAddress")
                .and_then(Value::as_str);
            let Some(address) = address.and_then(|text| text.parse::<IpAddr>().ok()) else {
                continue;
            };
            taken.insert(address);
            known.insert(
                (lowercase(nic, "id"), lowercase(configuration, "name")),
                address,
            );
        }
    }
    let known = |id: &str, name: &str| {
        known
            .get(&(id.to_ascii_lowercase(), name.to_ascii_lowercase()))
            .copied()
    };
    let inventory = control
        .world
        .seed(&seed, &known, &taken)
        .await
        .map_err(|error| bad(&error))?;

    let location = if seed.location.is_empty() {
        "westeurope"
    } else {
        &seed.location
    };
    for group in &seed.resource_groups {
        store
            .ensure_resource_group(&seed.subscription, group, location)
            .map_err(|error| bad(&error))?;
    }
    for public in &seed.public_addresses {
        store
            .prefer_address(&public.id, public.address)
            .map_err(|error| bad(&error))?;
    }
    for prefix in &seed.public_ip_prefixes {
        store
            .ensure_public_ip_prefix(prefix, location)
            .map_err(|error| bad(&error))?;
    }
    // Only what the seed names: a NIC that was deleted by hand is not brought back by another guest.
    for wanted in &seed.guests {
        let guest = inventory
            .guest(wanted.name.as_str())
            .map_err(|error| bad(&error))?;
        let mut ids = Vec::new();
        for nic in &guest.network_interfaces {
            if !wanted
                .network_interfaces
                .iter()
                .any(|it| it.id.eq_ignore_ascii_case(&nic.id))
            {
                continue;
            }
            ids.push(nic.id.clone());
            for configuration in &nic.ip_configurations {
                store
                    .ensure_network_interface(
                        &nic.id,
                        &configuration.name,
                        configuration.address,
                        location,
                    )
                    .map_err(|error| bad(&error))?;
            }
        }
        if let Some(machine) = &guest.virtual_machine {
            let os = if guest.windows { "Windows" } else { "Linux" };
            store
                .ensure_virtual_machine(machine, os, &ids, location)
                .map_err(|error| bad(&error))?;
        }
    }
    status(State(control)).await
}

fn lowercase(document: &Value, name: &str) -> String {
    document
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_lowercase()
}

async fn status(State(control): State<Arc<Control>>) -> Answer {
    let (guests, probes) = control.world.status().await;
    let faults = control.store.faults();
    Ok(Json(json!(WorldStatus {
        guests,
        probes,
        faults
    })))
}

async fn probe(State(control): State<Arc<Control>>, Json(order): Json<ProbeOrder>) -> Answer {
    let answers = control
        .world
        .probe(order)
        .await
        .map_err(|error| bad(&error))?;
    Ok(Json(json!(answers)))
}

async fn requests(State(control): State<Arc<Control>>) -> Answer {
    Ok(Json(json!(control.store.requests())))
}

async fn clear_requests(State(control): State<Arc<Control>>) -> Answer {
    control.store.clear_requests();
    Ok(Json(Value::Null))
}

async fn fault(State(control): State<Arc<Control>>, Json(order): Json<FaultOrder>) -> Answer {
    control
        .store
        .set_fault(&order.fault)
        .map_err(|error| bad(&error))?;
    Ok(Json(json!(control.store.faults())))
}

async fn load(State(control): State<Arc<Control>>, Json(document): Json<Value>) -> Answer {
    let ids = control.store.load(&document).map_err(|error| bad(&error))?;
    Ok(Json(json!(ids)))
}

async fn arm(State(control): State<Arc<Control>>, Json(order): Json<ArmOrder>) -> Answer {
    let method: Method = order.method.parse().map_err(|()| {
        let text = format!(
            "`{}` is not a method: use GET, HEAD, PUT, PATCH, POST or DELETE.",
            order.method
        );
        Refusal(StatusCode::BAD_REQUEST, text)
    })?;
    let answer = control
        .store
        .answer(&ArmRequest::new(method, &order.id, order.body.as_ref()));
    if let Some((operation, request)) = answer.script {
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let outcome = GuestScripts(Arc::clone(&control.world)).run(request).await;
            if let Err(error) = control.store.finish_script(&operation, &outcome) {
                super::log(&crate::error::chain(&error));
            }
        });
    }
    let headers: BTreeMap<&str, &String> = answer
        .headers
        .iter()
        .map(|(name, value)| (*name, value))
        .collect();
    Ok(Json(
        json!({ "status": answer.status, "headers": headers, "body": answer.body }),
    ))
}

async fn reboot(State(control): State<Arc<Control>>, Path(guest): Path<String>) -> Answer {
    control
        .world
        .reboot(&guest)
        .await
        .map_err(|error| bad(&error))?;
    Ok(Json(Value::Null))
}

async fn route(State(control): State<Arc<Control>>, Json(route): Json<Route>) -> Answer {
    control
        .world
        .route(route)
        .await
        .map_err(|error| bad(&error))?;
    Ok(Json(Value::Null))
}

async fn silence(
    State(control): State<Arc<Control>>,
    Path(guest): Path<String>,
    Json(order): Json<Silence>,
) -> Answer {
    control
        .world
        .silence(&guest, &order)
        .await
        .map_err(|error| bad(&error))?;
    Ok(Json(Value::Null))
}

async fn down(State(control): State<Arc<Control>>) -> Answer {
    control.down.notify_one();
    Ok(Json(json!({ "log": control.layout.log() })))
}
