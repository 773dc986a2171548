//! `explain`: what a code means. Each part of the program keeps its own table; here they are only put together.

use crate::args::ExplainArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{inputs, sources};
use plimsoll_core::config;
use plimsoll_core::lang::codes;
use plimsoll_core::model::diag::did_you_mean;

/// Code, title, text.
type Page = (&'static str, &'static str, &'static str);

/// What planning finds in guests.
const FINDINGS: &[Page] = &[
    (
        "PL0301",
        "nothing listens",
        "Azure will deliver packets of a rule to this address and port inside the guest, and no socket there takes them. Bind the application to the frontend's address (floating IP) or to every address. A rule goes live without it: only address and firewall are plimsoll's.",
    ),
    (
        "PL0302",
        "nothing answers the health probe",
        "Health probes go to the VM's own address, for floating IP rules too, because the frontend's address is the same on all members. An application that is bound to the frontend's address alone never answers them, and Azure sends such a guest nothing.",
    ),
    (
        "PL0303",
        "an address has the wrong netmask",
        "A frontend's address on the loopback interface is one address, /32 or /128. With a wider netmask the guest takes the whole subnet for itself and cannot reach its neighbours; the example on the Microsoft page does that.",
    ),
    (
        "PL0304",
        "the guest does not boot with systemd",
        "What plimsoll sets is put back at boot by a systemd unit of its own. Where something else is process 1, it works now and is gone after a reboot.",
    ),
    (
        "PL0305",
        "a firewall rule refuses the packets",
        "A rule that someone else made comes before the one that would let a rule's packets in. plimsoll never changes or goes around other people's firewall rules: remove it, or take the load balancer's rule out of the configuration.",
    ),
    (
        "PL0306",
        "a firewall rule that cannot be judged",
        "A rule of the guest's firewall uses matches that plimsoll does not understand, so it may refuse the packets or not. Look at it in the guest.",
    ),
    (
        "PL0310",
        "a guest could not be read",
        "Nobody knows what is inside it now, so changes that need it are blocked. Everything else is planned. Once it can be reached again, plan again.",
    ),
];

/// All codes in order. A new table is one more line here.
fn pages() -> Vec<Page> {
    let language = codes::ALL.iter().chain(config::codes::ALL);
    let language = language.map(|row| (row.code, row.title, row.explanation));
    let mut pages: Vec<Page> = sources::CODES
        .iter()
        .chain(inputs::CODES)
        .chain(FINDINGS)
        .copied()
        .chain(language)
        .collect();
    pages.sort_unstable();
    pages
}

pub(crate) fn run(context: &Context, arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let pages = pages();
    let Some(asked) = &arguments.code else {
        let titles: Vec<Page> = pages
            .iter()
            .map(|(code, title, _)| (*code, *title, ""))
            .collect();
        context.view.explained(&titles);
        return Ok(Exit::Done);
    };
    let code = asked.trim_matches([',', '[', ']']).to_ascii_uppercase();
    match pages.iter().find(|(known, ..)| *known == code) {
        Some(page) => {
            context.view.explained(&[*page]);
            Ok(Exit::Done)
        }
        None => {
            let failure = Failure::new(format!("there is no code {asked}"));
            let failure = match did_you_mean(&code, pages.iter().map(|(known, ..)| *known)) {
                Some(near) => failure.next(format!("Did you mean {near}?")),
                None => failure,
            };
            Err(failure.next("All codes:").next("  plimsoll explain"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let pages = pages();
        assert!(pages.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (code, title, text) in pages {
            assert!(code.len() == 6 && code.starts_with("PL"), "{code}");
            assert!(!title.ends_with('.') && text.ends_with('.'), "{code}");
        }
    }
}
