//! `GET` and `POST /_lab/faults`: faults of an emulator that runs alone, as text, one a line.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::store::Store;

/// To be served beside the emulator.
pub fn fault_routes(store: &Store) -> Router {
    let (shown, changed) = (store.clone(), store.clone());
    let show = move || async move { lines(&shown) };
    let change = move |fault: String| async move {
        match changed.set_fault(fault.trim()) {
            Ok(()) => (StatusCode::OK, lines(&changed)),
            Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    };
    Router::new().route("/_lab/faults", get(show).post(change))
}

fn lines(store: &Store) -> String {
    store
        .faults()
        .into_iter()
        .map(|fault| format!("{fault}\n"))
        .collect()
}
