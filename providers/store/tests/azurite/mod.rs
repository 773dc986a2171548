//! A real Azurite with nothing in it, one for each test that wants one. Used by the binary's tests too.

use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The account that every Azurite has, and its key, from its documentation.
pub const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
pub const CONTAINER: &str = "tfstate";

pub struct Azurite {
    process: Child,
    /// `http://127.0.0.1:PORT`
    pub address: String,
}

impl Azurite {
    /// `None`, and said so, where it is not installed.
    pub fn start(more: &[&str]) -> Option<Self> {
        let script = folder().join("node_modules/azurite/dist/src/blob/main.js");
        if !script.is_file() {
            println!("skipped: Azurite is not installed; `cargo xtask test` installs it");
            return None;
        }
        let mut process = Command::new("node")
            .arg(script)
            .args(["--inMemoryPersistence", "--disableTelemetry"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            // Its list of versions is older than the client.
            .arg("--skipApiVersionCheck")
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let output = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listens on ")?.1.trim().to_owned()))
            .expect("Azurite says where it listens");
        // It goes on writing, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, address })
    }

    /// With one empty container.
    pub fn with_container(more: &[&str]) -> Option<Self> {
        let azurite = Self::start(more)?;
        let url = format!(
            "{}/{ACCOUNT}/{CONTAINER}?restype=container&{}",
            azurite.address,
            sas("rwdlac")
        );
        let status = put(&url);
        assert_eq!(status, 201, "the container is made");
        Some(azurite)
    }

    pub fn service(&self) -> String {
        format!("{}/{ACCOUNT}", self.address)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/azurite"))
}

/// A bare PUT over a plain connection: the tests' own client must not be the one under test.
fn put(url: &str) -> u16 {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("Azurite listens");
    write!(
        stream,
        "PUT /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nx-ms-version: 2021-08-06\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .expect("it answers");
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
    status.expect("a status line")
}

/// An account SAS that is valid for these permissions until 2099.
/// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>
pub fn sas(permissions: &str) -> String {
    let (expiry, version) = ("2099-01-01T00:00:00Z", "2020-12-06");
    let to_sign = format!("{ACCOUNT}\n{permissions}\nb\nsco\n\n{expiry}\n\n\n{version}\n\n");
    let signature = base64(&hmac(&unbase64(KEY), to_sign.as_bytes()));
    let signature = signature
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!(
        "sv={version}&ss=b&srt=sco&sp={permissions}&se={}&sig={signature}",
        expiry.replace(':', "%3A")
    )
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .expect("the key is base64")
}

/// RFC 2104 for a key of one block, which Azurite's is.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |byte: u8| block.map(|b| b ^ byte);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

/// A way to Azurite on which somebody stands.
pub struct Way {
    pub address: String,
}

/// What somebody on the way does to what passes.
pub trait Stand: Send + Sync + 'static {
    /// A request, or a piece of one.
    fn request(&self, bytes: &[u8]) -> Pass;
    /// Whether a piece of an answer goes on; or else its connection breaks.
    fn answer(&self) -> bool;
    /// Something does not go on, for good, and its connection stays open.
    fn holds(&self) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    On,
    /// The request, or once it is delivered its answer.
    Held {
        delivered: bool,
    },
}

impl Way {
    pub fn to<S: Stand>(azurite: &Azurite, stand: &Arc<S>) -> Self {
        let target = azurite
            .address
            .strip_prefix("http://")
            .expect("a plain address")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let stand = Arc::clone(stand);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else {
                    continue;
                };
                if let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) {
                    let held = Arc::new(AtomicBool::new(false));
                    let (asks, holds) = (Arc::clone(&stand), Arc::clone(&held));
                    std::thread::spawn(move || {
                        carry(from, to, |bytes| match asks.request(bytes) {
                            Pass::Held { delivered: true } => {
                                holds.store(true, Ordering::SeqCst);
                                true
                            }
                            Pass::On => true,
                            Pass::Held { delivered: false } => hold(&*asks),
                        });
                    });
                    let answers = Arc::clone(&stand);
                    std::thread::spawn(move || {
                        carry(server, client, |_| {
                            if held.load(Ordering::SeqCst) {
                                hold(&*answers);
                            }
                            answers.answer()
                        });
                    });
                }
            }
        });
        Self { address }
    }

    pub fn service(&self) -> String {
        format!("{}/{ACCOUNT}", self.address)
    }
}

/// Until the tests are over: the client must see neither an answer nor a broken connection.
fn hold(stand: &impl Stand) -> ! {
    stand.holds();
    loop {
        std::thread::park();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8]) -> bool) {
    use std::io::Read as _;
    let mut buffer = vec![0_u8; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
