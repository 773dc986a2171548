//! The sentence of counts that every view of a plan ends or begins with.

use super::words;
use plimsoll_core::plan::{Action, Noun, Tally};

fn noun(noun: Noun) -> &'static str {
    match noun {
        Noun::LoadBalancer => "load balancer",
        Noun::PublicIpPrefix => "public IP prefix",
        Noun::PublicIp => "public IP",
        Noun::Item(kind) => words::item_noun(kind),
        Noun::Membership => "pool membership",
    }
}

/// `1 rule to add, 1 to change, 0 to destroy · 2 guests to change · 1 write to Azure`
pub(crate) fn sentence(tally: &Tally) -> String {
    let verbs = [
        (Action::Create, "to add", true),
        (Action::Update, "to change", true),
        (Action::Replace, "to replace", false),
        (Action::Delete, "to destroy", true),
        (Action::Adopt, "to adopt", false),
        (Action::Forget, "to forget", false),
    ];
    let mut nouns: Vec<Noun> = tally
        .by_action
        .values()
        .flat_map(|n| n.keys().copied())
        .collect();
    nouns.sort_unstable();
    nouns.dedup();
    let mut named = false;
    let mut parts = Vec::new();
    for (action, verb, always) in verbs {
        match tally.by_action.get(&action) {
            None if always => parts.push(format!("0 {verb}")),
            None => {}
            // A noun that is the only one is said once.
            Some(_) if nouns.len() == 1 && named => {
                parts.push(format!("{} {verb}", tally.of(action)));
            }
            Some(counts) => {
                named = true;
                let each: Vec<String> = counts
                    .iter()
                    .map(|(noun, number)| words::count(*number, self::noun(*noun)))
                    .collect();
                parts.push(match each.as_slice() {
                    [one] => format!("{one} {verb}"),
                    many => format!("{} {verb} ({})", tally.of(action), many.join(", ")),
                });
            }
        }
    }
    let mut sentence = parts.join(", ");
    if tally.guests > 0 {
        sentence.push_str(&format!(
            " · {} to change",
            words::count(tally.guests, "guest")
        ));
    }
    sentence.push_str(&match tally.writes {
        0 => " · no write to Azure".to_owned(),
        writes => format!(" · {} to Azure", words::count(writes, "write")),
    });
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::model::ItemKind;

    #[test]
    fn a_single_noun_is_said_once() {
        let mut tally = Tally {
            guests: 2,
            writes: 1,
            ..Tally::default()
        };
        tally.one(Action::Create, Noun::Item(ItemKind::Rule));
        tally.one(Action::Update, Noun::Item(ItemKind::Rule));
        assert_eq!(
            sentence(&tally),
            "1 rule to add, 1 to change, 0 to destroy · 2 guests to change · 1 write to Azure"
        );
        tally.one(Action::Create, Noun::Item(ItemKind::Frontend));
        assert_eq!(
            sentence(&tally),
            "2 to add (1 frontend, 1 rule), 1 rule to change, 0 to destroy · 2 guests to change · 1 write to Azure"
        );
    }
}
