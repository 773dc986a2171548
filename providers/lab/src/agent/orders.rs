//! The loop of every agent: read an order, carry it out beside the others, report.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::health::Watch;
use super::prober;
use super::responder::Responder;
use super::wire::{Numbered, Order, Report};

pub(super) enum Role {
    Fabric,
    Client,
    Guest(String),
}

pub(super) fn run(role: Role) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("Cannot start the async runtime: {error}"))?;
    let outcome = runtime.block_on(serve(role));
    // A read of standard input may still be under way in a thread; it must not hold the process.
    runtime.shutdown_background();
    outcome
}

async fn serve(role: Role) -> Result<(), String> {
    let (reports, mut outbox) = mpsc::unbounded_channel::<Report>();
    let writer = tokio::spawn(async move {
        let mut output = tokio::io::stdout();
        while let Some(report) = outbox.recv().await {
            let mut line = serde_json::to_vec(&report).expect("reports are plain data");
            line.push(b'\n');
            if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
                break;
            }
        }
    });
    let agent = Arc::new(match role {
        Role::Fabric => Agent::Fabric(Watch::new(reports.clone())),
        Role::Client => Agent::Client,
        Role::Guest(name) => Agent::Guest(Responder::new(name)),
    });
    let _ = reports.send(Report::Ready);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Numbered { number, order }) = serde_json::from_str::<Numbered>(&line) else {
            return Err(format!("This order is not understood: {line}"));
        };
        let (agent, reports) = (Arc::clone(&agent), reports.clone());
        tokio::spawn(async move {
            let report = match agent.carry_out(order).await {
                Ok(result) => Report::Done { number, result },
                Err(error) => Report::Failed { number, error },
            };
            let _ = reports.send(report);
        });
    }
    writer.abort();
    Ok(())
}

enum Agent {
    Fabric(Watch),
    Client,
    Guest(Responder),
}

impl Agent {
    async fn carry_out(&self, order: Order) -> Result<Value, String> {
        match (self, order) {
            (Self::Fabric(_), Order::Program(script)) => {
                program(&script).await.map(|()| Value::Null)
            }
            (Self::Fabric(watch), Order::Watch(targets)) => {
                watch.replace(targets);
                Ok(Value::Null)
            }
            (Self::Client, Order::Probe(order)) => Ok(json!(prober::probe(order).await)),
            (Self::Guest(responder), Order::Listen(ports)) => {
                responder.listen(ports).await;
                Ok(Value::Null)
            }
            _ => Err("this order is for another role".to_owned()),
        }
    }
}

/// One script, one transaction: nft applies all of it or nothing.
async fn program(script: &str) -> Result<(), String> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .map_err(|error| format!("Cannot run nft: {error}"))?;
    if let Some(mut input) = nft.stdin.take() {
        input
            .write_all(script.as_bytes())
            .await
            .map_err(|error| format!("Cannot speak to nft: {error}"))?;
    }
    let output = nft
        .wait_with_output()
        .await
        .map_err(|error| format!("Cannot wait for nft: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "nft refused: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}
