//! The framed answer of a script: one line of JSON with its length before it. An answer that was cut is no answer.

use crate::linux::frame::FrameError;

const HEAD: &[u8] = b"plimsoll-facts 1 ";
const END: &[u8] = b"plimsoll-facts-end";

/// Finds the frame in whatever else was printed. Windows may end lines with a carriage return of its own.
pub fn parse(output: &[u8]) -> Result<&str, FrameError> {
    let mut found = FrameError::NoFacts;
    let mut lines = output
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    while let Some(line) = lines.next() {
        let Some(length) = line.strip_prefix(HEAD) else {
            continue;
        };
        let length = std::str::from_utf8(length)
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        let Some(want) = length else {
            found = FrameError::Malformed;
            continue;
        };
        let body = lines.next().unwrap_or_default();
        if body.len() == want && lines.next() == Some(END) {
            return std::str::from_utf8(body).map_err(|_| FrameError::Malformed);
        }
        found = FrameError::Cut { want };
    }
    Err(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_answer_is_refused_wherever_it_was_cut() {
        for end in ["\n", "\r\n"] {
            let whole = format!(
                "Microsoft Windows{end}{end}plimsoll-facts 1 7{end}{{\"a\":1}}{end}plimsoll-facts-end{end}"
            );
            assert_eq!(parse(whole.as_bytes()), Ok("{\"a\":1}"));
            let least = whole.len() - end.len();
            for cut in 0..least {
                assert!(parse(&whole.as_bytes()[..cut]).is_err(), "cut at {cut}");
            }
            let head = whole.find("plimsoll-facts 1").unwrap();
            for start in head + 1..whole.len() {
                assert!(parse(&whole.as_bytes()[start..]).is_err(), "{start}");
            }
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
