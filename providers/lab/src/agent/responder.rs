//! A guest's responder: answers on every port that it is told, and says which destination it saw.
//!
//! A TCP client that sends an HTTP request gets an HTTP answer; any other gets one JSON line, as soon
//! as it has sent a line, has closed its side, or has said nothing for a moment. A UDP datagram is
//! answered from the address to which it was sent.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use super::wire::Answer;
use crate::seed::{Port, Protocol};

/// How long a silent TCP client is waited for before it gets the line unasked.
const PATIENCE: Duration = Duration::from_millis(300);

/// A port that somebody else holds may become free, or the other way round.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Responder {
    guest: Arc<str>,
    listening: Mutex<BTreeMap<Port, Vec<JoinHandle<()>>>>,
}

impl Responder {
    pub(super) fn new(guest: String) -> Self {
        Self {
            guest: guest.into(),
            listening: Mutex::default(),
        }
    }

    /// Answers on exactly these ports from now on; a port that stays keeps its socket.
    ///
    /// Returns once new ports are bound and the others free, so that whoever ordered it may connect at once.
    pub(super) async fn listen(&self, ports: Vec<Port>) {
        let stopped = {
            let mut listening = self
                .listening
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let stopped: Vec<_> = listening
                .extract_if(.., |port, _| !ports.contains(port))
                .flat_map(|(_, tasks)| tasks)
                .collect();
            for port in ports {
                listening.entry(port).or_insert_with(|| {
                    // Two sockets a port, so that each sees addresses of its own family as they are.
                    [
                        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                    ]
                    .map(|any| SocketAddr::new(any, port.port))
                    .map(|local| {
                        let bound = Bound::to(port.protocol, local);
                        tokio::spawn(serve(Arc::clone(&self.guest), port.protocol, local, bound))
                    })
                    .into()
                });
            }
            stopped
        };
        for task in stopped {
            task.abort();
            // It ends as cancelled, which is what was asked for.
            let _ = task.await;
        }
    }
}

/// A socket on its port.
enum Bound {
    Tcp(TcpListener),
    Udp(UdpSocket, UdpSocketState),
}

impl Bound {
    fn to(protocol: Protocol, local: SocketAddr) -> io::Result<Self> {
        match protocol {
            Protocol::Tcp => {
                let socket = socket(local, Type::STREAM)?;
                Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
            }
            Protocol::Udp => {
                let socket = UdpSocket::from_std(socket(local, Type::DGRAM)?.into())?;
                let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
                Ok(Self::Udp(socket, state))
            }
        }
    }
}

async fn serve(
    guest: Arc<str>,
    protocol: Protocol,
    local: SocketAddr,
    mut bound: io::Result<Bound>,
) {
    loop {
        // Taken by an application in the guest, or the family is missing: neither is ours to mend.
        let _ = match bound {
            Ok(Bound::Tcp(listener)) => serve_tcp(&guest, listener).await,
            Ok(Bound::Udp(socket, state)) => serve_udp(&guest, local.port(), socket, state).await,
            Err(error) => Err(error),
        };
        tokio::time::sleep(RETRY).await;
        bound = Bound::to(protocol, local);
    }
}

fn socket(local: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), kind, None)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // Otherwise connections that linger after a stop would keep the port for a minute.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&local.into())?;
    if kind == Type::STREAM {
        socket.listen(1024)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn serve_tcp(guest: &Arc<str>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let guest = Arc::clone(guest);
        tokio::spawn(async move {
            // A client that went away does not want the answer.
            let _ = answer_tcp(&guest, stream).await;
        });
    }
}

async fn answer_tcp(guest: &str, mut stream: TcpStream) -> io::Result<()> {
    let line = answer(guest, stream.local_addr()?);
    let mut heard = Vec::new();
    let listen = async {
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer).await?;
            heard.extend_from_slice(&buffer[..count]);
            let http = heard.starts_with(b"GET ") || heard.starts_with(b"HEAD ");
            let whole = if http {
                ends_request(&heard)
            } else {
                heard.contains(&b'\n')
            };
            if count == 0 || whole || heard.len() > 16 * 1024 {
                return io::Result::Ok(());
            }
        }
    };
    if let Ok(ended) = tokio::time::timeout(PATIENCE, listen).await {
        ended?;
    }
    if heard.starts_with(b"GET ") || heard.starts_with(b"HEAD ") {
        let length = line.len();
        let body = if heard.starts_with(b"HEAD ") {
            ""
        } else {
            line.as_str()
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        stream
            .write_all(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
            .await?;
    } else {
        stream.write_all(line.as_bytes()).await?;
    }
    stream.shutdown().await
}

fn ends_request(heard: &[u8]) -> bool {
    heard.windows(4).any(|window| window == b"\r\n\r\n")
}

async fn serve_udp(
    guest: &str,
    port: u16,
    socket: UdpSocket,
    state: UdpSocketState,
) -> io::Result<()> {
    // Datagrams of one sender may arrive joined; `stride` takes them apart again.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut metadata = [RecvMeta::default()];
        socket
            .async_io(tokio::io::Interest::READABLE, || {
                let mut slices = [IoSliceMut::new(&mut buffer)];
                state.recv(UdpSockRef::from(&socket), &mut slices, &mut metadata)
            })
            .await?;
        let [metadata] = metadata;
        let Some(destination) = metadata.dst_ip else {
            continue;
        };
        let datagrams = metadata.len.div_ceil(metadata.stride.max(1)).max(1);
        let line = answer(guest, SocketAddr::new(destination, port));
        for _ in 0..datagrams {
            let transmit = Transmit {
                destination: metadata.addr,
                ecn: None,
                contents: line.as_bytes(),
                segment_size: None,
                src_ip: Some(destination),
            };
            // A reply that cannot be sent is a lost datagram, which is how UDP fails.
            let _ = state.try_send(UdpSockRef::from(&socket), &transmit);
        }
    }
}

fn answer(guest: &str, seen: SocketAddr) -> String {
    let answer = Answer {
        guest: guest.to_owned(),
        destination: seen.ip().to_canonical(),
        port: seen.port(),
    };
    let mut line = serde_json::to_string(&answer).expect("a name, an address and a port serialize");
    line.push('\n');
    line
}
