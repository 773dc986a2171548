//! Long lists fold: some of each kind are shown, the rest is counted, nothing is hidden without a word.

use crate::view::{Detail, words};

/// A list up to this long is shown whole.
const WHOLE: usize = 30;
/// Of a longer one, this many stand for the rest.
const SOME: usize = 8;

/// How many of a run of like things to show.
pub(super) fn shown(total: usize, detail: Detail) -> usize {
    if total <= WHOLE || detail == Detail::Verbose {
        total
    } else {
        SOME
    }
}

/// `… and 992 more rules like these`
pub(super) fn rest(total: usize, noun: &str, detail: Detail) -> Option<String> {
    let hidden = total - shown(total, detail);
    (hidden > 0).then(|| {
        format!(
            "… and {} like these (-v shows all)",
            words::count(hidden, &format!("more {noun}"))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        let folded = Detail::Normal;
        assert_eq!(rest(WHOLE, "rule", folded), None);
        assert_eq!(rest(1000, "rule", Detail::Verbose), None);
        assert_eq!(shown(1000, folded), SOME);
        assert_eq!(
            rest(1000, "rule", folded).unwrap(),
            "… and 992 more rules like these (-v shows all)"
        );
    }
}
