//! The client's side of a probe: real packets, one connection or datagram an attempt.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::wire::{Answer, ProbeAnswer, ProbeOrder};
use crate::seed::Protocol;

/// What the prober says first, so that the responder need not wait for silence.
const GREETING: &[u8] = b"plimsoll\n";

pub(super) async fn probe(order: ProbeOrder) -> Vec<ProbeAnswer> {
    let target = SocketAddr::new(order.address, order.port);
    let timeout = Duration::from_millis(order.timeout_milliseconds);
    let mut answers = Vec::new();
    if order.interval_milliseconds == 0 {
        for _ in 0..order.count {
            answers.push(attempt(target, order.protocol, timeout).await);
        }
        return answers;
    }
    // Sustained: attempts start on time, however long the ones before take.
    let mut clock = tokio::time::interval(Duration::from_millis(order.interval_milliseconds));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut attempts = Vec::new();
    for _ in 0..order.count {
        clock.tick().await;
        attempts.push(tokio::spawn(attempt(target, order.protocol, timeout)));
    }
    for attempt in attempts {
        answers.extend(attempt.await);
    }
    answers
}

async fn attempt(target: SocketAddr, protocol: Protocol, timeout: Duration) -> ProbeAnswer {
    let begun = Instant::now();
    let exchange = async {
        match protocol {
            Protocol::Tcp => ask_tcp(target).await,
            Protocol::Udp => ask_udp(target).await,
        }
    };
    let outcome = tokio::time::timeout(timeout, exchange).await;
    let microseconds = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let failed = |error: String| ProbeAnswer {
        guest: None,
        seen: None,
        ok: false,
        error: Some(error),
        microseconds,
    };
    let heard = match outcome {
        Err(_) => return failed(format!("no answer within {} ms", timeout.as_millis())),
        Ok(Err(error)) => return failed(describe(&error)),
        Ok(Ok(heard)) => heard,
    };
    match serde_json::from_slice::<Answer>(&heard) {
        Ok(answer) => ProbeAnswer {
            guest: Some(answer.guest),
            seen: Some(SocketAddr::new(answer.destination, answer.port).to_string()),
            ok: true,
            error: None,
            microseconds,
        },
        Err(_) if heard.is_empty() => failed("connected, then closed without an answer".to_owned()),
        // Some other program of the guest holds the port: the packets went through all the same.
        Err(_) => ProbeAnswer {
            guest: None,
            seen: None,
            ok: true,
            error: Some("answered by a program other than the lab's responder".to_owned()),
            microseconds,
        },
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => error.to_string(),
    }
}

async fn ask_tcp(target: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(target).await?;
    stream.write_all(GREETING).await?;
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    while !heard.contains(&b'\n') && heard.len() < 64 * 1024 {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        heard.extend_from_slice(&buffer[..count]);
    }
    Ok(heard)
}

async fn ask_udp(target: SocketAddr) -> io::Result<Vec<u8>> {
    let any = match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // Connected, so that only the asked address can answer, and refusals are heard.
    socket.connect(target).await?;
    socket.send(GREETING).await?;
    let mut buffer = vec![0; 64 * 1024];
    let count = socket.recv(&mut buffer).await?;
    buffer.truncate(count);
    Ok(buffer)
}
