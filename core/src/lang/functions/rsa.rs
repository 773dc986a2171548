//! `rsadecrypt`: what was encrypted for a public key, with PKCS #1 v1.5 padding as Terraform has it.
//!
//! It runs on the machine of whoever holds the private key, once for each evaluation, so nobody can time it from afar.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Returns, string};
use crate::lang::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "rsadecrypt",
    parameters: &[string("ciphertext"), string("privatekey")],
    variadic: None,
    returns: Returns::Always(Accepts::String),
    run: decrypt,
}];

struct PrivateKey {
    modulus: BigUint,
    exponent: BigUint,
}

fn decrypt(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let cipher = STANDARD
        .decode(text(&arguments[0]))
        .map_err(|error| Failure::Argument(0, format!("this is not base64: {error}")))?;
    let key = key(text(&arguments[1])).ok_or_else(|| {
        let message = "this is not an RSA private key in PEM, without a passphrase";
        Failure::Argument(1, message.to_owned())
    })?;
    let cipher = BigUint::from_bytes_be(&cipher);
    let failed = || Failure::Call("the text was not encrypted for this key".to_owned());
    if cipher >= key.modulus {
        return Err(failed());
    }
    let block = cipher.modpow(&key.exponent, &key.modulus).to_bytes_be();
    // 00 02, at least eight bytes that are not zero, 00, the message; the number has no leading zero.
    let length = key.modulus.to_bytes_be().len();
    let message = Some(block)
        .filter(|block| block.len() + 1 == length && block.first() == Some(&2))
        .and_then(|block| {
            let end = block.iter().position(|byte| *byte == 0)?;
            (end > 8).then(|| block[end + 1..].to_vec())
        })
        .ok_or_else(failed)?;
    String::from_utf8(message)
        .map(Value::from)
        .map_err(|_| Failure::Call("what was encrypted is not text in UTF-8".to_owned()))
}

fn key(pem: &str) -> Option<PrivateKey> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let encoded: String = body.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).ok()?;
    match kind {
        "RSA PRIVATE KEY" => pkcs1(&bytes),
        "PRIVATE KEY" => {
            let mut fields = der(&mut &*bytes, SEQUENCE)?;
            der(&mut fields, INTEGER)?;
            der(&mut fields, SEQUENCE)?;
            pkcs1(der(&mut fields, OCTETS)?)
        }
        "OPENSSH PRIVATE KEY" => openssh(&bytes),
        _ => None,
    }
    .filter(|key| key.modulus.bits() > 0)
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// RFC 8017, appendix A.1.2: version, modulus, public exponent, private exponent, and more that is not needed.
fn pkcs1(bytes: &[u8]) -> Option<PrivateKey> {
    let mut fields = der(&mut &*bytes, SEQUENCE)?;
    der(&mut fields, INTEGER)?;
    let modulus = der(&mut fields, INTEGER)?;
    der(&mut fields, INTEGER)?;
    let exponent = der(&mut fields, INTEGER)?;
    Some(PrivateKey {
        modulus: BigUint::from_bytes_be(modulus),
        exponent: BigUint::from_bytes_be(exponent),
    })
}

/// Takes one value of this type off the front.
fn der<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(2)?;
    let (length, rest) = match head[1] {
        short if short < 0x80 => (usize::from(short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            // Longer than four bytes say is nothing that lies in memory.
            if digits.len() > 4 {
                return None;
            }
            let length = digits
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    (head[0] == tag).then_some(value)
}

/// OpenSSH's PROTOCOL.key: cipher, key derivation and its options, how many keys, the public ones; then the private part,
/// which begins with two equal check numbers and the type.
fn openssh(bytes: &[u8]) -> Option<PrivateKey> {
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (cipher, derivation) = (field(&mut rest)?, field(&mut rest)?);
    if cipher != b"none" || derivation != b"none" {
        return None;
    }
    field(&mut rest)?;
    (_, rest) = rest.split_at_checked(4)?;
    field(&mut rest)?;
    let (_, mut rest) = field(&mut rest)?.split_at_checked(8)?;
    if field(&mut rest)? != b"ssh-rsa" {
        return None;
    }
    let modulus = field(&mut rest)?;
    field(&mut rest)?;
    let exponent = field(&mut rest)?;
    Some(PrivateKey {
        modulus: BigUint::from_bytes_be(modulus),
        exponent: BigUint::from_bytes_be(exponent),
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (field, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::scope::NoFiles;

    // Made with openssl and ssh-keygen; one key in three forms, used for nothing else.
    const KEYS: [&str; 3] = [
        include_str!("../../../../testdata/rsa/pkcs1.pem"),
        include_str!("../../../../testdata/rsa/pkcs8.pem"),
        include_str!("../../../../testdata/rsa/openssh.pem"),
    ];
    const CIPHERTEXT: &str = include_str!("../../../../testdata/rsa/ciphertext.txt");

    fn answer(ciphertext: &str, key: &str) -> Option<String> {
        struct Nothing;
        impl crate::lang::Scope for Nothing {
            fn resolve(
                &self,
                _: &str,
                _: &[crate::lang::Step],
                _: &crate::model::Span,
            ) -> Result<crate::lang::Resolved, Vec<crate::model::Diagnostic>> {
                Err(Vec::new())
            }
            fn files(&self) -> &dyn crate::lang::Files {
                &NoFiles
            }
            fn now(&self) -> Option<jiff::Timestamp> {
                None
            }
        }
        let context = Context { scope: &Nothing };
        let value = decrypt(&context, &[Value::string(ciphertext), Value::string(key)]).ok()?;
        value.as_str().map(str::to_owned)
    }

    #[test]
    fn what_openssl_encrypted_is_read_with_each_form_of_the_key() {
        for key in KEYS {
            assert_eq!(answer(CIPHERTEXT, key).as_deref(), Some("geheim: ä"));
        }
        assert_eq!(answer("no base64", KEYS[0]), None);
        assert_eq!(answer("aGFsbG8=", KEYS[0]), None);
        // Cut anywhere, it is no key, and no panic.
        for key in KEYS {
            let body: String = key.lines().filter(|l| !l.starts_with('-')).collect();
            let whole = STANDARD.decode(&body).unwrap();
            let kind = key.lines().next().unwrap();
            for length in 0..whole.len().min(200) {
                let cut = STANDARD.encode(&whole[..length]);
                assert_eq!(
                    answer(CIPHERTEXT, &format!("{kind}\n{cut}\n-----END X-----")),
                    None
                );
            }
        }
    }
}
