//! The way of the packets as columns of boxes and lines between them: one picture, drawn as mermaid, DOT or SVG.
//!
//! What is in order folds when there is much of it; what changes or is wrong stays.

pub(crate) mod dot;
pub(crate) mod mermaid;
pub(crate) mod svg;

use super::words;
use plimsoll_core::model::Severity;
use plimsoll_core::plan::{GuestNode, Mark, RuleNode, Topology, Trouble};
use std::collections::{BTreeMap, BTreeSet};

/// Boxes in four columns: frontends, rules, pools, guests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub(crate) boxes: Vec<Node>,
    /// Lines between boxes, by their places in `boxes`.
    pub(crate) lines: Vec<Edge>,
    /// What was left out, in words.
    pub(crate) left_out: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Frontend,
    Rule,
    Pool,
    Guest,
}

impl Column {
    pub(crate) const ALL: [Self; 4] = [Self::Frontend, Self::Rule, Self::Pool, Self::Guest];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Frontend => "Frontends",
            Self::Rule => "Rules",
            Self::Pool => "Backend pools",
            Self::Guest => "Guests",
        }
    }
}

/// What a box or a line means. The colour says it again to those who see it; the words say it to everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Same,
    Foreign,
    Added,
    Changed,
    Deleted,
    Warning,
    Broken,
}

impl Tone {
    pub(crate) const ALL: [Self; 7] = [
        Self::Same,
        Self::Foreign,
        Self::Added,
        Self::Changed,
        Self::Deleted,
        Self::Warning,
        Self::Broken,
    ];

    /// For class names: a word of letters.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Foreign => "foreign",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }

    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Same => None,
            Self::Foreign => Some("not ours, kept"),
            Self::Added => Some("added"),
            Self::Changed => Some("changed"),
            Self::Deleted => Some("deleted"),
            Self::Warning => Some("warning"),
            Self::Broken => Some("broken"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) column: Column,
    pub(crate) title: String,
    /// Below the title: addresses, ports.
    pub(crate) details: Vec<String>,
    pub(crate) tone: Tone,
    /// The tone in words, and what is wrong; empty where all is in order.
    pub(crate) state: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) tone: Tone,
    /// `10.0.0.11`, or why the hop is broken.
    pub(crate) label: Option<String>,
}

/// How much is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) moment: Moment,
    /// How many boxes a column may have before it folds.
    pub(crate) rules: usize,
    pub(crate) guests: usize,
}

/// Which world is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// With what the plan does.
    Planned,
    /// As it was found: what is only planned is not there yet.
    Now,
}

impl Moment {
    pub(crate) fn mark(self, mark: Mark) -> Mark {
        match (self, mark) {
            (Self::Planned, mark) | (Self::Now, mark @ Mark::Foreign) => mark,
            (Self::Now, _) => Mark::Same,
        }
    }

    pub(crate) fn draws(self, mark: Mark) -> bool {
        self == Self::Planned || mark != Mark::Created
    }
}

impl Room {
    /// Without folding, as far as anyone can mean that.
    pub(crate) const WHOLE: Self = Self {
        moment: Moment::Planned,
        rules: usize::MAX,
        guests: usize::MAX,
    };
}

pub(crate) fn picture(topology: &Topology, room: Room) -> Picture {
    let mut picture = Picture::default();
    let moment = room.moment;
    let rules = chosen_rules(topology, room, &mut picture.left_out);
    let whole = picture.left_out.is_empty();
    let frontends: BTreeSet<usize> = if whole {
        (0..topology.frontends.len()).collect()
    } else {
        rules
            .iter()
            .filter_map(|r| topology.rules[*r].frontend)
            .collect()
    };
    let pools: BTreeSet<usize> = if whole {
        (0..topology.pools.len()).collect()
    } else {
        rules
            .iter()
            .flat_map(|r| topology.rules[*r].pools.clone())
            .collect()
    };
    let mut frontend_at = BTreeMap::new();
    for at in frontends {
        let node = &topology.frontends[at];
        if !moment.draws(node.mark) {
            continue;
        }
        let address = node.address.as_ref().map(|w| match w.known() {
            Some(address) => address.to_string(),
            None => "known after apply".to_owned(),
        });
        frontend_at.insert(at, picture.boxes.len());
        picture.boxes.push(node_of(
            Column::Frontend,
            node.name.clone(),
            address.into_iter().collect(),
            moment.mark(node.mark),
            &node.troubles,
        ));
    }
    let mut pool_at = BTreeMap::new();
    for at in pools {
        let node = &topology.pools[at];
        if !moment.draws(node.mark) {
            continue;
        }
        let others =
            (node.others > 0).then(|| format!("and {} not of this configuration", node.others));
        pool_at.insert(at, picture.boxes.len());
        picture.boxes.push(node_of(
            Column::Pool,
            node.name.clone(),
            others.into_iter().collect(),
            moment.mark(node.mark),
            &node.troubles,
        ));
    }
    for at in rules {
        let rule = &topology.rules[at];
        let here = picture.boxes.len();
        picture.boxes.push(node_of(
            Column::Rule,
            rule.name.clone(),
            vec![arrival(rule)],
            moment.mark(rule.mark),
            &rule.troubles,
        ));
        let tone = picture.boxes[here].tone;
        let line = match tone {
            Tone::Added | Tone::Deleted | Tone::Broken | Tone::Foreign => tone,
            Tone::Same | Tone::Changed | Tone::Warning => Tone::Same,
        };
        if let Some(from) = rule.frontend.and_then(|f| frontend_at.get(&f)) {
            picture.line(*from, here, line, None);
        }
        for to in rule.pools.iter().filter_map(|p| pool_at.get(p)) {
            picture.line(here, *to, line, None);
        }
    }
    guests(topology, &pool_at, room, &mut picture);
    picture
}

impl Picture {
    pub(crate) fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    pub(crate) fn tones(&self) -> BTreeSet<Tone> {
        let boxes = self.boxes.iter().map(|b| b.tone);
        boxes.chain(self.lines.iter().map(|l| l.tone)).collect()
    }

    fn line(&mut self, from: usize, to: usize, tone: Tone, label: Option<String>) {
        self.lines.push(Edge {
            from,
            to,
            tone,
            label,
        });
    }
}

/// `80/tcp → 8080, floating IP`
pub(crate) fn arrival(rule: &RuleNode) -> String {
    let protocol = rule.protocol.map_or("", |p| p.word());
    let ports = match (rule.port, rule.backend_port) {
        (Some(port), Some(backend)) => format!("{port}/{protocol} → {backend}"),
        (_, _) => "every port".to_owned(),
    };
    if rule.floating_ip {
        format!("{ports}, floating IP")
    } else {
        ports
    }
}

fn node_of(
    column: Column,
    title: String,
    details: Vec<String>,
    mark: Mark,
    troubles: &[Trouble],
) -> Node {
    let (tone, state) = tone(mark, troubles);
    Node {
        column,
        title,
        details,
        tone,
        state,
    }
}

pub(crate) fn mark_tone(mark: Mark) -> Tone {
    match mark {
        Mark::Same => Tone::Same,
        Mark::Created => Tone::Added,
        Mark::Changed => Tone::Changed,
        Mark::Deleted => Tone::Deleted,
        Mark::Foreign => Tone::Foreign,
    }
}

/// What is wrong outweighs what is planned; the words say both.
fn tone(mark: Mark, troubles: &[Trouble]) -> (Tone, Vec<String>) {
    let planned = mark_tone(mark);
    let worst = troubles.iter().map(|t| t.severity).min();
    let tone = match worst {
        Some(Severity::Error) => Tone::Broken,
        Some(Severity::Warning) => Tone::Warning,
        Some(Severity::Advice) | None => planned,
    };
    let mut state: Vec<String> = planned.word().map(str::to_owned).into_iter().collect();
    const SAID: usize = 2;
    state.extend(troubles.iter().take(SAID).map(|t| match t.severity {
        Severity::Error => format!("broken: {}", t.what),
        Severity::Warning => format!("warning: {}", t.what),
        Severity::Advice => t.what.to_string(),
    }));
    if troubles.len() > SAID {
        state.push(format!("and {} more", troubles.len() - SAID));
    }
    (tone, state)
}

/// All of them, or those that change or are wrong before those that are in order.
fn chosen_rules(topology: &Topology, room: Room, left_out: &mut Vec<String>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..topology.rules.len())
        .filter(|r| room.moment.draws(topology.rules[*r].mark))
        .collect();
    let (all, room) = (order.len(), room.rules);
    if all <= room {
        return order;
    }
    let urgent = |rule: &RuleNode| rule.mark != Mark::Same || !rule.troubles.is_empty();
    order.sort_by_key(|r| !urgent(&topology.rules[*r]));
    order.truncate(room);
    order.sort_unstable();
    left_out.push(format!(
        "{} not drawn: see the table",
        words::count(all - room, "more rule")
    ));
    order
}

/// A line from a pool to a guest, before guests fold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Joined {
    pool: usize,
    mark: u8,
}

fn guests(
    topology: &Topology,
    pool_at: &BTreeMap<usize, usize>,
    room: Room,
    picture: &mut Picture,
) {
    let Room {
        moment,
        guests: room,
        ..
    } = room;
    let mut joined: Vec<BTreeSet<Joined>> = vec![BTreeSet::new(); topology.guests.len()];
    let mut own: Vec<BTreeSet<String>> = vec![BTreeSet::new(); topology.guests.len()];
    for (pool, here) in pool_at {
        let members = topology.pools[*pool].members.iter();
        for member in members.filter(|m| moment.draws(m.mark)) {
            joined[member.guest].insert(Joined {
                pool: *here,
                mark: moment.mark(member.mark) as u8,
            });
            own[member.guest].extend(member.address.map(|a| a.to_string()));
        }
    }
    let drawn: Vec<usize> = (0..topology.guests.len())
        .filter(|g| !joined[*g].is_empty() || topology.guests.len() <= room)
        .collect();
    // Guests that look the same in every way stand in one box, once there are many.
    let mut groups: Vec<(Vec<usize>, BTreeSet<Joined>)> = Vec::new();
    for at in drawn {
        let guest = &topology.guests[at];
        let alike = |(others, lines): &&mut (Vec<usize>, BTreeSet<Joined>)| {
            let first = &topology.guests[others[0]];
            first.mark == guest.mark && first.troubles == guest.troubles && *lines == joined[at]
        };
        let fold = topology.guests.len() > room;
        match groups.iter_mut().find(alike).filter(|_| fold) {
            Some((others, _)) => others.push(at),
            None => groups.push((vec![at], joined[at].clone())),
        }
    }
    let hidden: usize = groups.iter().skip(room).map(|(g, _)| g.len()).sum();
    if hidden > 0 {
        groups.sort_by_key(|(g, _)| topology.guests[g[0]].troubles.is_empty());
        picture
            .left_out
            .push(format!("{} not drawn", words::count(hidden, "more guest")));
    }
    for (members, lines) in groups.into_iter().take(room) {
        let first = &topology.guests[members[0]];
        let here = picture.boxes.len();
        let details = match members.as_slice() {
            [one] => own[*one].iter().cloned().collect(),
            many => vec![names(many, &topology.guests)],
        };
        let title = match members.len() {
            1 => first.addr.name().to_owned(),
            many => words::count(many, "guest"),
        };
        picture.boxes.push(node_of(
            Column::Guest,
            title,
            details,
            moment.mark(first.mark),
            &first.troubles,
        ));
        let tone = picture.boxes[here].tone;
        for joined in lines {
            let (tone, label) = match joined.mark {
                created if created == Mark::Created as u8 => (Tone::Added, Some("joins")),
                deleted if deleted == Mark::Deleted as u8 => (Tone::Deleted, Some("leaves")),
                _ if tone == Tone::Broken => (Tone::Broken, Some("broken")),
                _ => (Tone::Same, None),
            };
            picture.line(joined.pool, here, tone, label.map(str::to_owned));
        }
    }
}

/// `vm1, vm2, vm3 and 997 more`
fn names(members: &[usize], guests: &[GuestNode]) -> String {
    const NAMED: usize = 3;
    let mut names: Vec<String> = members
        .iter()
        .take(NAMED)
        .map(|g| guests[*g].addr.name().to_owned())
        .collect();
    if members.len() > NAMED {
        names.push(format!("{} more", members.len() - NAMED));
    }
    words::list(&names)
}
