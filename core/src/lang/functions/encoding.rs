//! Encodings: base64, JSON, CSV, YAML, URLs, character sets.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Parameter, Returns, any, csv, string, yaml};
use crate::lang::json;
use crate::lang::types::Type;
use crate::lang::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::fmt::Write;

type Run = fn(&Context<'_>, &[Value]) -> Result<Value, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    to_text("base64decode", &[string("str")], |_, arguments| {
        String::from_utf8(decode(arguments)?)
            .map(Value::from)
            .map_err(|_| {
                let message = "the result of decoding the provided string is not valid UTF-8";
                Failure::Argument(0, message.to_owned())
            })
    }),
    to_text("base64encode", &[string("str")], |_, arguments| {
        Ok(STANDARD.encode(text(&arguments[0])).into())
    }),
    to_text("base64gzip", &[string("str")], |_, arguments| {
        Ok(STANDARD.encode(gzip(text(&arguments[0]))).into())
    }),
    to_value("csvdecode", |_, arguments| {
        csv::decode(text(&arguments[0])).map_err(Failure::Call)
    }),
    to_value("jsondecode", |_, arguments| {
        let json = serde_json::from_str(text(&arguments[0]));
        let json = json.map_err(|error| Failure::Argument(0, format!("invalid JSON: {error}")))?;
        Ok(json::from_json(&json))
    }),
    to_text(
        "jsonencode",
        &[any("val").or_null().or_unknown()],
        |_, arguments| {
            let encoded =
                json::encode(&arguments[0]).map_err(|error| Failure::Argument(0, error))?;
            Ok(encoded.map_or_else(|| Value::unknown(Type::String), Value::from))
        },
    ),
    to_text(
        "textdecodebase64",
        &[string("source"), string("encoding")],
        |_, arguments| {
            Ok(Charset::named(arguments, 1)?
                .decode(&decode(arguments)?)?
                .into())
        },
    ),
    to_text(
        "textencodebase64",
        &[string("string"), string("encoding")],
        |_, arguments| {
            Ok(STANDARD
                .encode(Charset::named(arguments, 1)?.encode(text(&arguments[0]))?)
                .into())
        },
    ),
    to_text("urlencode", &[string("str")], |_, arguments| {
        Ok(url(text(&arguments[0])).into())
    }),
    to_value("yamldecode", |_, arguments| {
        yaml::decode(text(&arguments[0])).map_err(|error| Failure::Argument(0, error))
    }),
    to_text(
        "yamlencode",
        &[any("value").or_null().or_unknown()],
        |_, arguments| {
            let encoded =
                yaml::encode(&arguments[0]).map_err(|error| Failure::Argument(0, error))?;
            Ok(encoded.map_or_else(|| Value::unknown(Type::String), Value::from))
        },
    ),
];

const fn to_text(name: &'static str, parameters: &'static [Parameter], run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run,
    }
}

const TEXT: [Parameter; 1] = [string("str")];

const fn to_value(name: &'static str, run: Run) -> Function {
    Function {
        name,
        parameters: &TEXT,
        variadic: None,
        returns: Returns::Always(Accepts::Any),
        run,
    }
}

fn decode(arguments: &[Value]) -> Result<Vec<u8>, Failure> {
    let given = text(&arguments[0]);
    STANDARD
        .decode(given)
        .map_err(|error| Failure::Argument(0, format!("failed to decode base64 data: {error}")))
}

/// The same bytes as Go's compressor gives for short texts: the data flushed, then an empty stored block to end with.
fn gzip(text: &str) -> Vec<u8> {
    // RFC 1952: no name, no time, unknown operating system.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut compress = Compress::new(Compression::default(), false);
    let mut rest = text.as_bytes();
    loop {
        out.reserve(text.len() / 2 + 64);
        let before = compress.total_in();
        let full = out.capacity();
        // Compressing from memory to memory cannot fail; a failure would only leave the rest out.
        if compress
            .compress_vec(rest, &mut out, FlushCompress::Sync)
            .is_err()
        {
            break;
        }
        let taken = usize::try_from(compress.total_in() - before).unwrap_or(rest.len());
        rest = &rest[taken..];
        if rest.is_empty() && out.len() < full {
            break;
        }
    }
    out.extend([1, 0, 0, 0xff, 0xff]);
    let mut checksum = Crc::new();
    checksum.update(text.as_bytes());
    out.extend(checksum.sum().to_le_bytes());
    out.extend(checksum.amount().to_le_bytes());
    out
}

/// For a query: spaces become `+`, everything that is not plain is escaped.
fn url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// The character sets that people pass to Windows and to PowerShell's `-EncodedCommand`; not all that IANA lists.
#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Utf16Le,
    Utf16Be,
    Latin1,
    Ascii,
}

impl Charset {
    fn named(arguments: &[Value], index: usize) -> Result<Self, Failure> {
        let name = text(&arguments[index]);
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Ok(Self::Utf8),
            "UTF-16LE" | "UTF16LE" => Ok(Self::Utf16Le),
            "UTF-16BE" | "UTF16BE" => Ok(Self::Utf16Be),
            "ISO-8859-1" | "LATIN1" => Ok(Self::Latin1),
            "US-ASCII" | "ASCII" => Ok(Self::Ascii),
            _ => {
                let message = format!(
                    "{} is not supported: UTF-8, UTF-16LE, UTF-16BE, ISO-8859-1 and US-ASCII are",
                    crate::lang::quoted(name)
                );
                Err(Failure::Argument(index, message))
            }
        }
    }

    fn encode(self, text: &str) -> Result<Vec<u8>, Failure> {
        let narrow = |limit: u32| {
            let bytes = text.chars().map(|character| {
                u8::try_from(u32::from(character))
                    .ok()
                    .filter(|byte| u32::from(*byte) < limit)
            });
            let bytes: Option<Vec<u8>> = bytes.collect();
            bytes.ok_or_else(|| {
                Failure::Argument(
                    0,
                    "the string holds characters that this encoding does not have".to_owned(),
                )
            })
        };
        match self {
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Utf16Le => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Utf16Be => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Self::Latin1 => narrow(256),
            Self::Ascii => narrow(128),
        }
    }

    fn decode(self, bytes: &[u8]) -> Result<String, Failure> {
        let invalid =
            || Failure::Argument(0, "the bytes are not a text in this encoding".to_owned());
        let wide = |join: fn([u8; 2]) -> u16| {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|pair| join([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units)
                .ok()
                .filter(|_| bytes.len().is_multiple_of(2))
                .ok_or_else(invalid)
        };
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).map_err(|_| invalid()),
            Self::Utf16Le => wide(u16::from_le_bytes),
            Self::Utf16Be => wide(u16::from_be_bytes),
            Self::Latin1 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Self::Ascii if bytes.is_ascii() => {
                Ok(bytes.iter().map(|byte| char::from(*byte)).collect())
            }
            Self::Ascii => Err(invalid()),
        }
    }
}
