//! Long lists fold: some of each kind are shown, the rest is counted, nothing is hidden without a word.

use crate::view::words;

/// A list up to this long is shown whole.
const WHOLE: usize = 30;
/// Of a longer one, this many stand for the rest.
const SOME: usize = 8;

/// How many of a run of like things to show.
pub(super) fn shown(total: usize) -> usize {
    if total <= WHOLE { total } else { SOME }
}

/// `… and 992 more rules like these`
pub(super) fn rest(total: usize, noun: &str) -> Option<String> {
    let hidden = total - shown(total);
    (hidden > 0).then(|| {
        format!(
            "… and {} like these (--json lists all)",
            words::count(hidden, &format!("more {noun}"))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        assert_eq!(rest(WHOLE, "rule"), None);
        assert_eq!(shown(1000), SOME);
        assert_eq!(
            rest(1000, "rule").unwrap(),
            "… and 992 more rules like these (--json lists all)"
        );
    }
}
