//! The packed answer of a script, which comes in windows where little comes back at once.

use crate::transport::Output;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::io::Read as _;

/// Bytes of the packed answer in one window: Run Command keeps the last 4,096 of all that is printed, and our own lines
/// and Azure's take some of them.
pub(crate) const WINDOW: usize = 3840;
/// A packed answer of more bytes than this would take a quarter of an hour to fetch.
pub(crate) const MOST: usize = 24 * WINDOW;
/// What it may unpack to. No guest has that much to tell.
const UNPACKED: u64 = 16 << 20;

const HEAD: &str = "plimsoll-part 1 ";
const END: &str = "\nplimsoll-part-end";
const STATUS: &str = "\nplimsoll-status ";
const SAID: &str = "plimsoll-said ";

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    #[error(
        "it does not hold the answer of the script; look at the guest agent's files in the guest (/var/lib/waagent, on Windows C:\\Packages\\Plugins)"
    )]
    Missing,
    #[error("it was cut; run the same command again")]
    Cut,
    #[error("its digest is wrong; run the same command again")]
    Digest,
    #[error("it cannot be unpacked; look whether gzip and base64 work in the guest")]
    Unpack,
    #[error("the guest answers differently each time it is asked; use a connection \"ssh\" block")]
    Restless,
    #[error("{0} packed bytes are too many for Run Command; use a connection \"ssh\" block")]
    TooLong(usize),
}

impl PartError {
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Cut | Self::Digest)
    }
}

/// One window of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    form: String,
    /// With which status the script ended.
    pub(crate) status: i32,
    pub(crate) offset: usize,
    pub(crate) total: usize,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

/// Finds the window in what came back. One that is shorter than it says is refused.
pub(crate) fn part(printed: &str) -> Result<Part, PartError> {
    let at = match printed.starts_with(HEAD) {
        true => 0,
        false => {
            printed
                .find(&format!("\n{HEAD}"))
                .ok_or(PartError::Missing)?
                + 1
        }
    };
    let rest = &printed[at + HEAD.len()..];
    let (head, rest) = rest.split_once('\n').ok_or(PartError::Cut)?;
    let words: Vec<&str> = head.split(' ').collect();
    let [form, status, offset, total, digest] = words[..] else {
        return Err(PartError::Missing);
    };
    let number = |text: &str| text.parse::<usize>().map_err(|_| PartError::Missing);
    let (offset, total) = (number(offset)?, number(total)?);
    let length = total.saturating_sub(offset).min(WINDOW);
    let (bytes, end) = rest
        .as_bytes()
        .split_at_checked(length)
        .ok_or(PartError::Cut)?;
    if !end.starts_with(END.as_bytes()) {
        return Err(PartError::Cut);
    }
    Ok(Part {
        form: form.to_owned(),
        status: status.parse().map_err(|_| PartError::Missing)?,
        offset,
        total,
        digest: digest.to_owned(),
        bytes: bytes.to_vec(),
    })
}

/// All windows of one answer, in order, put together.
pub(crate) fn unpack(parts: &[Part]) -> Result<Output, PartError> {
    let first = parts.first().ok_or(PartError::Missing)?;
    let packed = parts.iter().map(|part| part.bytes.as_slice());
    let packed: Vec<u8> = packed.collect::<Vec<_>>().concat();
    if packed.len() != first.total {
        return Err(PartError::Cut);
    }
    let digest: String = Sha256::digest(&packed)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // A guest without sha256sum says nothing here, and then has to fit into one window.
    if digest != first.digest && !(first.digest.is_empty() && parts.len() == 1) {
        return Err(PartError::Digest);
    }
    let text = match first.form.as_str() {
        "plain" => packed,
        "gzip" => {
            let zipped = STANDARD.decode(&packed).map_err(|_| PartError::Unpack)?;
            let mut text = Vec::new();
            let reader = flate2::read::GzDecoder::new(zipped.as_slice());
            let length = reader.take(UNPACKED).read_to_end(&mut text);
            length.map_err(|_| PartError::Unpack)?;
            text
        }
        _ => return Err(PartError::Unpack),
    };
    let text = String::from_utf8_lossy(&text);
    let (stdout, rest) = text.rsplit_once(STATUS).ok_or(PartError::Unpack)?;
    let said = rest.lines().find_map(|line| line.strip_prefix(SAID));
    Ok(Output {
        // The shell took the line breaks off the end; a frame ends with one.
        stdout: format!("{stdout}\n").into_bytes(),
        stderr: said.unwrap_or_default().as_bytes().to_vec(),
        status: Some(first.status),
    })
}

#[cfg(test)]
mod tests {
    use super::super::script::packed;
    use super::*;
    use std::process::Command;

    fn run(script: &str, offset: usize, path: Option<&str>) -> String {
        let mut text = packed(script, offset, WINDOW);
        if let Some(path) = path {
            text = text.replace("PATH=/usr/local/sbin", &format!("PATH={path} #"));
        }
        let output = Command::new("sh").args(["-c", &text]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_script_comes_back_with_its_status_and_its_last_words() {
        let said = "{\necho \"it's $1\"\necho first >&2\necho last >&2\necho >&2\nexit 7\n}\n";
        let output = unpack(&[part(&run(said, 0, None)).unwrap()]).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "it's \n\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "last");
        assert_eq!(output.status, Some(7));
    }

    #[test]
    fn a_long_answer_comes_in_windows_and_a_cut_one_not_at_all() {
        // Not to be packed small: digests of numbers.
        let script =
            "{\nn=0\nwhile [ $n -lt 150 ]; do n=$((n + 1)); echo $n | sha256sum; done\nexit 0\n}\n";
        let first = part(&run(script, 0, None)).unwrap();
        assert!(first.total > WINDOW, "{}", first.total);
        let mut parts = vec![first];
        while parts.iter().map(|p| p.bytes.len()).sum::<usize>() < parts[0].total {
            let printed = run(script, parts.len() * WINDOW, None);
            assert!(printed.len() < 4000, "{}", printed.len());
            parts.push(part(&printed).unwrap());
        }
        let output = unpack(&parts).unwrap();
        assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 151);
        assert_eq!(unpack(&parts[1..]), Err(PartError::Cut));
        let printed = run(script, 0, None);
        for cut in 0..printed.len() - 1 {
            let kept = part(&printed[..cut]).and_then(|p| unpack(&[p]));
            assert!(kept.is_err(), "cut at {cut}");
            assert!(part(&printed[cut + 1..]).is_err(), "begins at {}", cut + 1);
        }
        parts[1].bytes[5] ^= 1;
        assert_eq!(unpack(&parts), Err(PartError::Digest));
    }

    /// What ticks goes, and what stands in a file stays.
    #[test]
    fn compact_answers_keep_what_is_read() {
        let functions = super::super::script::facts_functions();
        let text = "ip -4 addr replace 65.52.0.1/32 dev lo || status=1 # plimsoll: address 65.52.0.1\n\
                    tcp   LISTEN 3      128    0.0.0.0:80 0.0.0.0:* users:((\"a\",pid=7,fd=3))\n\
                    :INPUT DROP [12:345]\n";
        let script = format!("{functions}\ncompact <<'X'\n{text}X\n");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let wanted = "ip -4 addr replace 65.52.0.1/32 dev lo || status=1 # plimsoll: address 65.52.0.1\n\
                      tcp   LISTEN 0 0    0.0.0.0:80 0.0.0.0:* users:((\"a\"))\n\
                      :INPUT DROP [0:0]\n";
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(plimsoll-part 1 (gzip|plain) 0 [0-9]{1,25} [0-9]{1,4} [0-9a-f]{0,64}\n)?\\PC*(\nplimsoll-part-end)?") {
            if let Ok(part) = part(&text) {
                let _ = unpack(&[part]);
            }
        }
    }
}
