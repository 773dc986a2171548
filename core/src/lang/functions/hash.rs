//! Hashes, of texts: `md5`, `sha256`, `base64sha256`, `uuidv5` and their like; and what is another at each call.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Parameter, Returns, number, string};
use crate::lang::types::Type;
use crate::lang::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

pub(super) const FUNCTIONS: &[Function] = &[
    of_text("base64sha256", |_, a| {
        Ok(STANDARD.encode(Sha256::digest(text(&a[0]))).into())
    }),
    of_text("base64sha512", |_, a| {
        Ok(STANDARD.encode(Sha512::digest(text(&a[0]))).into())
    }),
    // Salted, so a plan cannot know it, as in Terraform.
    Function {
        name: "bcrypt",
        parameters: &[string("str")],
        variadic: Some(number("cost")),
        returns: Returns::Always(Accepts::String),
        run: unforeseeable,
    },
    of_text("md5", |_, a| Ok(hex(&Md5::digest(text(&a[0]))).into())),
    of_text("sha1", |_, a| Ok(hex(&Sha1::digest(text(&a[0]))).into())),
    of_text(
        "sha256",
        |_, a| Ok(hex(&Sha256::digest(text(&a[0]))).into()),
    ),
    of_text(
        "sha512",
        |_, a| Ok(hex(&Sha512::digest(text(&a[0]))).into()),
    ),
    Function {
        name: "uuid",
        parameters: &[],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: unforeseeable,
    },
    Function {
        name: "uuidv5",
        parameters: &[string("namespace"), string("name")],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: uuid_of_name,
    },
];

const TEXT: [Parameter; 1] = [string("str")];

const fn of_text(
    name: &'static str,
    run: fn(&Context<'_>, &[Value]) -> Result<Value, Failure>,
) -> Function {
    Function {
        name,
        parameters: &TEXT,
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run,
    }
}

fn unforeseeable(_: &Context<'_>, _: &[Value]) -> Result<Value, Failure> {
    Ok(Value::unknown(Type::String))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 4122, section 4.3: the SHA-1 of the namespace's bytes and the name, with version and variant put in.
fn uuid_of_name(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let namespace = match text(&arguments[0]) {
        // The namespaces of RFC 4122, appendix C.
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
        other => other,
    };
    let digits: String = namespace
        .chars()
        .filter(|character| *character != '-')
        .collect();
    let number = Some(&digits)
        .filter(|digits| digits.len() == 32)
        .and_then(|digits| u128::from_str_radix(digits, 16).ok());
    let number = number.ok_or_else(|| {
        Failure::Argument(
            0,
            "the namespace is a UUID, or one of dns, url, oid and x500".to_owned(),
        )
    })?;
    let mut hash = Sha1::new();
    hash.update(number.to_be_bytes());
    hash.update(text(&arguments[1]));
    let mut bytes: [u8; 16] = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let parts = [
        &bytes[..4],
        &bytes[4..6],
        &bytes[6..8],
        &bytes[8..10],
        &bytes[10..],
    ];
    Ok(parts.map(hex).join("-").into())
}
