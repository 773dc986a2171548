//! One configuration after another: small changes, and now and then a large one.

use super::scenario::{GUESTS, Mode, Nat, Setup};
use super::tape::Tape;

impl Setup {
    /// Another configuration that is not far from this one.
    pub fn changed(&self, tape: &mut Tape) -> Self {
        let mut next = self.clone();
        for _ in 0..=tape.pick(3) {
            let names: Vec<&'static str> = next.rules.keys().copied().collect();
            match tape.pick(12) {
                0 if names.len() > 1 => {
                    next.rules.remove(names[tape.pick(names.len())]);
                }
                1 => {
                    let mut fresh = Self::random(tape);
                    if let Some((name, rule)) = fresh.rules.pop_last()
                        && next.frontends.contains_key(rule.frontend)
                        && next.pools.contains(&rule.pool)
                    {
                        next.rules.insert(name, rule);
                    }
                }
                2 => {
                    let frontends: Vec<&'static str> = next.frontends.keys().copied().collect();
                    let frontend = frontends[tape.pick(frontends.len())];
                    if let Some(rule) = names
                        .get(tape.pick(names.len()))
                        .and_then(|name| next.rules.get_mut(name))
                    {
                        rule.frontend = frontend;
                    }
                }
                3 => {
                    // The pool is replaced by another one.
                    let other = if next.pools.contains(&"a") {
                        ["a", "b"]
                    } else {
                        ["b", "a"]
                    };
                    let [old, new] = other;
                    next.pools = next
                        .pools
                        .iter()
                        .map(|p| if *p == old { new } else { *p })
                        .collect();
                    next.pools.dedup();
                    for rule in next.rules.values_mut().filter(|rule| rule.pool == old) {
                        rule.pool = new;
                    }
                    for nat in next.nat.values_mut().filter(|nat| nat.pool == Some(old)) {
                        nat.pool = Some(new);
                    }
                    for pools in next.guests.values_mut() {
                        for pool in pools.iter_mut().filter(|pool| **pool == old) {
                            *pool = new;
                        }
                        pools.dedup();
                    }
                }
                4 => {
                    let guest = GUESTS[tape.pick(3)];
                    if next.guests.remove(guest).is_none() {
                        next.guests.insert(guest, next.pools.clone());
                    }
                }
                5 => {
                    let frontends: Vec<&'static str> = next.frontends.keys().copied().collect();
                    let name = frontends[tape.pick(frontends.len())];
                    let mode = [Mode::Loopback, Mode::None, Mode::Cluster]
                        [tape.pick(if name == "inner" { 2 } else { 3 })];
                    next.frontends.insert(name, mode);
                }
                6 => {
                    if let Some(rule) = names
                        .get(tape.pick(names.len()))
                        .and_then(|name| next.rules.get_mut(name))
                    {
                        rule.floating = !rule.floating;
                    }
                }
                7 => {
                    // A rule under another name.
                    let spare = ["r5", "r6"]
                        .into_iter()
                        .find(|n| !next.rules.contains_key(n));
                    if let (Some(spare), Some(old)) = (spare, names.get(tape.pick(names.len())))
                        && let Some(rule) = next.rules.remove(old)
                    {
                        next.rules.insert(spare, rule);
                    }
                }
                8 => {
                    let port = [80, 81, 8080][tape.pick(3)];
                    if let Some(rule) = names
                        .get(tape.pick(names.len()))
                        .and_then(|name| next.rules.get_mut(name))
                    {
                        rule.backend_port = port;
                    }
                }
                9 => {
                    let fresh = Self::random(tape);
                    let fits = |nat: &Nat| {
                        next.frontends.contains_key(nat.frontend)
                            && nat.pool.is_none_or(|pool| next.pools.contains(&pool))
                    };
                    next.nat = fresh.nat.into_iter().filter(|(_, nat)| fits(nat)).collect();
                    next.shared = fresh.shared;
                    next.drain = fresh.drain;
                }
                10 => {
                    // A rule moves to another pool, or another pool comes and it moves there.
                    if next.pools.len() == 1 {
                        next.pools = vec!["a", "b"];
                    }
                    let pool = next.pools[tape.pick(2)];
                    if let Some(rule) = names
                        .get(tape.pick(names.len()))
                        .and_then(|name| next.rules.get_mut(name))
                    {
                        rule.pool = pool;
                    }
                    let guest = GUESTS[tape.pick(3)];
                    if let Some(pools) = next.guests.get_mut(guest)
                        && !pools.contains(&pool)
                    {
                        pools.push(pool);
                    }
                }
                _ => {
                    next = Self {
                        promised: self.promised,
                        ..Self::random(tape)
                    }
                }
            }
        }
        // A pool's guests only join what is declared.
        for pools in next.guests.values_mut() {
            pools.retain(|pool| next.pools.contains(pool));
        }
        next
    }
}
