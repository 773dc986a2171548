//! Health probes, sent from where Azure's come from.
//!
//! One result decides, whatever `numberOfProbes` says: Azure does not honour it
//! (learn.microsoft.com/azure/load-balancer/whats-new, "Known issues"). A result is reported when it
//! is the first or differs from the one before.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::wire::Report;
use crate::fabric::{ProbeKind, ProbeTarget};

/// learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
const SOURCE_V4: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// The link-local source of probes over IPv6
/// (learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview).
const SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x1234, 0x5678, 0x9abc);

/// Azure waits for the interval; the lab's intervals are short, and loaded machines are slow.
const TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Watch {
    reports: UnboundedSender<Report>,
    running: Mutex<BTreeMap<ProbeTarget, JoinHandle<()>>>,
}

impl Watch {
    pub(super) fn new(reports: UnboundedSender<Report>) -> Self {
        Self {
            reports,
            running: Mutex::default(),
        }
    }

    /// Probes exactly these targets from now on; a target that stays keeps its history.
    pub(super) fn replace(&self, targets: Vec<ProbeTarget>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|target, task| {
            let stays = targets.contains(target);
            if !stays {
                task.abort();
            }
            stays
        });
        for target in targets {
            running.entry(target).or_insert_with_key(|target| {
                tokio::spawn(watch(target.clone(), self.reports.clone()))
            });
        }
    }
}

async fn watch(target: ProbeTarget, reports: UnboundedSender<Report>) {
    let mut clock =
        tokio::time::interval(Duration::from_millis(target.interval_milliseconds.max(1)));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        clock.tick().await;
        let result = match tokio::time::timeout(TIMEOUT, check(&target)).await {
            Ok(result) => result,
            Err(_) => Err("no answer".to_owned()),
        };
        let up = result.is_ok();
        if known != Some(up) {
            known = Some(up);
            let detail = result.err().unwrap_or_default();
            let key = target.key();
            if reports.send(Report::Health { key, up, detail }).is_err() {
                return;
            }
        }
    }
}

async fn check(target: &ProbeTarget) -> Result<(), String> {
    let mut stream = connect(target).await.map_err(|error| error.to_string())?;
    match &target.kind {
        ProbeKind::Tcp => Ok(()),
        ProbeKind::Http { path } => {
            let host = SocketAddr::new(target.address, target.port);
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Load Balancer Agent\r\nConnection: close\r\n\r\n"
            );
            stream
                .write_all(request.as_bytes())
                .await
                .map_err(|error| error.to_string())?;
            let mut head = [0; 12];
            stream
                .read_exact(&mut head)
                .await
                .map_err(|error| error.to_string())?;
            // `HTTP/1.1 200`: only 200 counts, redirects do not.
            match head.get(9..12) {
                Some(b"200") if head.starts_with(b"HTTP/1.") => Ok(()),
                _ => Err(format!("answered {}", String::from_utf8_lossy(&head))),
            }
        }
    }
}

async fn connect(target: &ProbeTarget) -> io::Result<TcpStream> {
    let remote = SocketAddr::new(target.address, target.port);
    let (socket, source) = match target.address {
        IpAddr::V4(_) => (TcpSocket::new_v4()?, SocketAddr::new(SOURCE_V4.into(), 0)),
        IpAddr::V6(_) => {
            let link = bridge_index()?;
            (
                TcpSocket::new_v6()?,
                SocketAddrV6::new(SOURCE_V6, 0, 0, link).into(),
            )
        }
    };
    socket.bind(source)?;
    socket.connect(remote).await
}

/// The kernel's number of the bridge, which a link-local source needs.
fn bridge_index() -> io::Result<u32> {
    // /sys is the host's in the lab's root namespace, /proc/net is that of whoever reads.
    let table = fs::read_to_string("/proc/self/net/if_inet6")?;
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields.last() == Some(&"br0"))
        .and_then(|fields| u32::from_str_radix(fields.get(1)?, 16).ok())
        .ok_or_else(|| io::Error::other("the bridge has no IPv6 address"))
}
