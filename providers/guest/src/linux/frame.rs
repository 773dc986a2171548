//! The framed answer of a script: sections by name. An answer that was cut is no answer.

use std::collections::BTreeMap;

const HEAD: &[u8] = b"plimsoll-facts 1 ";
const END: &[u8] = b"\nplimsoll-facts-end\n";

/// What one section holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The exit status of the command; `missing` (no such tool) and `absent` (no such file) otherwise.
    pub status: String,
    pub text: String,
}

impl Section {
    /// The text, where the command worked.
    pub fn ok(&self) -> Option<&str> {
        (self.status == "0").then_some(self.text.as_str())
    }
}

pub type Sections = BTreeMap<String, Section>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error(
        "the guest's answer holds no facts; look at what the guest printed, or run the script by hand (`plimsoll guest script`)"
    )]
    NoFacts,
    #[error("the guest's answer was cut: {want} bytes were announced; run it again")]
    Cut { want: usize },
    #[error(
        "the guest's answer is not in the form of this version of plimsoll; use the same version everywhere"
    )]
    Malformed,
}

/// Finds the frame in whatever else was printed (login files may talk) and takes it apart.
pub fn parse(output: &[u8]) -> Result<Sections, FrameError> {
    let mut found = FrameError::NoFacts;
    for start in line_starts(output) {
        if let Some(rest) = output[start..].strip_prefix(HEAD) {
            match body(rest) {
                Ok(body) => return sections(&String::from_utf8_lossy(body)),
                Err(error) => found = error,
            }
        }
    }
    Err(found)
}

fn line_starts(output: &[u8]) -> impl Iterator<Item = usize> {
    let after_breaks = output
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_breaks)
}

fn body(rest: &[u8]) -> Result<&[u8], FrameError> {
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let want: usize = std::str::from_utf8(&rest[..digits])
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(FrameError::Malformed)?;
    let rest = rest[digits..]
        .strip_prefix(b"\n")
        .ok_or(FrameError::Malformed)?;
    let cut = FrameError::Cut { want };
    let (body, end) = rest.split_at_checked(want).ok_or(cut.clone())?;
    if end.starts_with(END) {
        Ok(body)
    } else {
        Err(cut)
    }
}

fn sections(body: &str) -> Result<Sections, FrameError> {
    let mut all = Sections::new();
    let mut current: Option<(String, Section)> = None;
    for line in body.split('\n') {
        if let Some(head) = line.strip_prefix("== ") {
            all.extend(current.take());
            let (name, status) = head.split_once(' ').ok_or(FrameError::Malformed)?;
            let section = Section {
                status: status.to_owned(),
                text: String::new(),
            };
            current = Some((name.to_owned(), section));
        } else {
            let text = line.strip_prefix('|').ok_or(FrameError::Malformed)?;
            let (_, section) = current.as_mut().ok_or(FrameError::Malformed)?;
            if !section.text.is_empty() {
                section.text.push('\n');
            }
            // What a guest prints is shown to people; it must not steer their terminal.
            section.text.extend(text.chars().map(|c| match c {
                '\t' => '\t',
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            }));
        }
    }
    all.extend(current);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &str) -> Vec<u8> {
        format!(
            "hello from .bashrc\nplimsoll-facts 1 {}\n{body}\nplimsoll-facts-end\n",
            body.len()
        )
        .into_bytes()
    }

    #[test]
    fn noise_before_the_frame_is_ignored() {
        let sections = parse(&framed("== a 0\n|x\n|== b 0\n== c missing")).unwrap();
        assert_eq!(sections["a"].text, "x\n== b 0");
        assert_eq!(sections["c"].status, "missing");
        assert!(!sections.contains_key("b"));
    }

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        let sections = parse(&framed("== a 0\n|x\u{1b}[2Jy\tz")).unwrap();
        assert_eq!(sections["a"].text, "x\u{fffd}[2Jy\tz");
    }

    #[test]
    fn a_cut_answer_is_refused_wherever_it_was_cut() {
        let whole = framed("== a 0\n|x");
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
        for start in "hello from .bashrc\n".len() + 1..whole.len() {
            assert!(parse(&whole[start..]).is_err(), "starts at {start}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(output: Vec<u8>) {
            let _ = parse(&output);
            let mut headed = HEAD.to_vec();
            headed.extend(output);
            let _ = parse(&headed);
        }
    }
}
