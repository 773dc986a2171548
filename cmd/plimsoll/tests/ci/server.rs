//! An HTTP server of one thread on loopback that answers as Azure DevOps would.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// One request with a good token.
pub struct Request {
    pub method: String,
    pub path: String,
    pub content: String,
    pub body: Value,
}

/// Serves until the test ends; answers where. A request without the token `secret` is refused.
pub fn start(mut answer: impl FnMut(&Request) -> (u16, Value) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(&stream, &mut answer);
        }
    });
    url
}

fn serve(
    mut stream: &TcpStream,
    answer: &mut impl FnMut(&Request) -> (u16, Value),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let (mut length, mut token, mut content) = (0, false, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_owned();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap_or((&header, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" => value.clone_into(&mut content),
            "authorization" => token = value == "Bearer secret",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = Request {
        method,
        path,
        content,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (status, answer) = if token {
        answer(&request)
    } else {
        (401, Value::Null)
    };
    let text = answer.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
