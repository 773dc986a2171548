//! `lab serve --listen`: the emulated Resource Manager alone, for any client that speaks to Azure.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::say;
use async_trait::async_trait;
use plimsoll_lab::arm::{
    RunScript, ScriptOutcome, ScriptRequest, ServeOptions, Store, fault_routes, serve,
};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

/// There is no machine to run scripts in, and this one is not for whoever can reach a port.
#[derive(Debug)]
struct NoGuests;

#[async_trait]
impl RunScript for NoGuests {
    async fn run(&self, _: ScriptRequest) -> ScriptOutcome {
        ScriptOutcome::Exited {
            exit_code: 0,
            stdout: "The lab serves Azure Resource Manager alone: this script was not run.\n"
                .to_owned(),
            stderr: String::new(),
        }
    }
}

pub(super) async fn run(
    context: &Context,
    listen: SocketAddr,
    dir: Option<&Path>,
) -> Result<Exit, Failure> {
    // It lets in whoever asks, and runs what they send.
    if !listen.ip().is_loopback() {
        return Err(
            Failure::new(format!("{listen} can be reached from outside"))
                .next("Listen on this machine only: --listen 127.0.0.1:0"),
        );
    }
    let place = context.path(dir.unwrap_or(Path::new(".plimsoll/arm")));
    std::fs::create_dir_all(&place).map_err(|error| {
        Failure::new(format!("cannot make {}", place.display())).because(&error)
    })?;
    let store = Store::open(&place).map_err(|error| Failure::of(&error))?;
    let listener = TcpListener::bind(listen)
        .map_err(|error| Failure::new(format!("cannot listen on {listen}")).because(&error))?;
    let options = ServeOptions {
        extra: fault_routes(&store),
        ..ServeOptions::alone(listener, place, Some(Arc::new(NoGuests)))
    };
    let identity = store.identity();
    let served = serve(store, options)
        .await
        .map_err(|error| Failure::of(&error))?;
    let told = json!({
        "endpoint": served.endpoint,
        "token_endpoint": format!("{}/{}/oauth2/v2.0/token", served.endpoint, identity.tenant_id),
        "certificate_authority": served.certificate_authority,
        "tenant_id": identity.tenant_id,
        "subscription_id": identity.subscription_id,
        "client_id": identity.client_id,
        // Any secret signs in; this one is the bearer token itself, for clients that ask for none.
        "client_secret": identity.token,
        "faults": format!("{}/_lab/faults", served.endpoint),
    });
    say(&format!("{told:#}\n"));
    context.view.note(
        "Serving until Ctrl-C. Clients need the certificate authority (REQUESTS_CA_BUNDLE, SSL_CERT_FILE, curl --cacert) \
         and sign in as client_id with any secret.",
    );
    let _ = tokio::signal::ctrl_c().await;
    served.stop();
    Ok(Exit::Done)
}
