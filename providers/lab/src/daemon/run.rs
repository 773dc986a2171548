//! The daemon's life: start everything, keep the fabric in step, wait for an end, clean up.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::control::{self, Control};
use super::delivered::Delivered;
use super::log;
use super::scripts::GuestScripts;
use super::world::{Documents, World};
use crate::LabError;
use crate::arm::{ServeOptions, Store, serve};
use crate::layout::{LabFile, Layout};
use crate::namespaces;

/// How often the daemon looks whether it is still needed.
const IDLE_CHECK: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct DaemonOptions {
    /// The emulator's port on 127.0.0.1; none: any free one.
    pub port: Option<u16>,
    /// How long without a request before the lab ends by itself.
    pub idle: Duration,
}

impl Default for DaemonOptions {
    fn default() -> Self {
        Self {
            port: None,
            idle: Duration::from_secs(30 * 60),
        }
    }
}

/// Holds the lab of a configuration directory until it is no longer needed.
pub async fn run_daemon(directory: &Path, options: DaemonOptions) -> Result<(), LabError> {
    let layout = Layout::new(directory);
    layout.create()?;
    // Held until the process ends. A second daemon would take the first one's guests apart.
    let _lock = lock(&layout).await?;
    let program = std::env::current_exe()
        .map_err(LabError::file("find the running program", "/proc/self/exe"))?;
    let tools = namespaces::check()?;
    let listener = listen(options.port)?;
    let store = Store::open(layout.root()).map_err(|error| emulator(&error))?;
    let world = Arc::new(World::start(tools, layout.clone(), program).await?);

    let identity = store.identity();
    let token = format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    );
    let control = Arc::new(Control {
        world: Arc::clone(&world),
        store: store.clone(),
        layout: layout.clone(),
        token: token.clone(),
        down: Notify::new(),
        requests: AtomicU64::new(0),
    });
    let served = serve(
        store.clone(),
        ServeOptions {
            listener,
            directory: layout.root().to_owned(),
            extra: control::routes(Arc::clone(&control)),
            scripts: Some(Arc::new(GuestScripts(Arc::clone(&world)))),
        },
    )
    .await
    .map_err(|error| emulator(&error))?;

    let keeper = tokio::spawn(keep_in_step(Arc::clone(&world), store.clone()));
    let listener = tokio::spawn(follow_health(Arc::clone(&world)));
    LabFile {
        pid: std::process::id(),
        endpoint: served.endpoint.clone(),
        token_endpoint: format!(
            "{}/{}/oauth2/v2.0/token",
            served.endpoint, identity.tenant_id
        ),
        ca_file: served.certificate_authority.clone(),
        subscription: identity.subscription_id.clone(),
        tenant: identity.tenant_id.clone(),
        client_id: identity.client_id.clone(),
        client_secret: identity.token.clone(),
        control_token: token,
        user_namespace: world.tools().user_namespace,
    }
    .write(&layout)?;
    log("ready");

    let reason = wait_for_end(&control, options.idle).await;
    log(&format!("ending: {reason}"));
    // First the file: from now on nobody may be led here.
    let _ = fs::remove_file(layout.lab_file());
    keeper.abort();
    listener.abort();
    world.stop().await;
    served.stop();
    Ok(())
}

fn emulator(error: &dyn std::error::Error) -> LabError {
    LabError::Emulator {
        detail: crate::error::chain(error),
    }
}

async fn lock(layout: &Layout) -> Result<File, LabError> {
    let path = layout.daemon_lock();
    let file = File::create(&path).map_err(LabError::file("create", &path))?;
    for _ in 0..50 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(source)) => {
                return Err(LabError::file("lock", &path)(source));
            }
            // A command that only looks whether a daemon lives holds it for a moment.
            Err(fs::TryLockError::WouldBlock) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    Err(LabError::NotStarted {
        detail: "another daemon already holds this lab.".to_owned(),
        log: layout.log(),
    })
}

fn listen(port: Option<u16>) -> Result<TcpListener, LabError> {
    let wanted = port.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => LabError::PortTaken { port: wanted },
        _ => LabError::Spawn {
            program: format!("the emulator on 127.0.0.1:{wanted}"),
            source,
        },
    })
}

/// Reprograms the fabric whenever the documents, the guests or the members' health changed.
async fn keep_in_step(world: Arc<World>, store: Store) {
    let mut changes = store.subscribe();
    let mut load_balancers = Delivered::default();
    let mut network_interfaces = Delivered::default();
    loop {
        changes.mark_unchanged();
        let documents = Documents {
            load_balancers: load_balancers
                .settle(store.documents("Microsoft.Network/loadBalancers")),
            network_interfaces: network_interfaces
                .settle(store.documents("Microsoft.Network/networkInterfaces")),
            public_ips: store.documents("Microsoft.Network/publicIPAddresses"),
            virtual_networks: store.documents("Microsoft.Network/virtualNetworks"),
            security_groups: store.documents("Microsoft.Network/networkSecurityGroups"),
        };
        if let Err(error) = world.reprogram(&documents).await {
            log(&format!(
                "The fabric could not be programmed: {}",
                crate::error::chain(&error)
            ));
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = world.stale.notified() => {}
        }
    }
}

async fn follow_health(world: Arc<World>) {
    let Some(mut reports) = world.health_reports() else {
        return;
    };
    while let Some((key, up, detail)) = reports.recv().await {
        let verdict = if up {
            "up".to_owned()
        } else {
            format!("down ({detail})")
        };
        log(&format!("probe {key}: {verdict}"));
        world.record_health(key, up).await;
    }
}

async fn wait_for_end(control: &Control, idle: Duration) -> &'static str {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            // Without a handler the signal ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = control.down.notified() => "asked to",
        () = idle_for(control, idle) => "nobody has used it for a while",
        () = terminated => "terminated by a signal",
        () = dead(&control.world) => "its namespaces have ended",
    }
}

/// Returns after `idle` without a request, be it to the control routes or to the emulator.
async fn idle_for(control: &Control, idle: Duration) {
    let mut seen = (u64::MAX, 0, None);
    let mut quiet_since = tokio::time::Instant::now();
    loop {
        let log = control.store.requests();
        let now = (
            control.requests.load(Ordering::Relaxed),
            log.len(),
            log.last().map(|entry| entry.at),
        );
        if now != seen {
            seen = now;
            quiet_since = tokio::time::Instant::now();
        } else if quiet_since.elapsed() >= idle {
            return;
        }
        tokio::time::sleep(IDLE_CHECK.min(idle)).await;
    }
}

async fn dead(world: &World) {
    while world.is_alive() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
