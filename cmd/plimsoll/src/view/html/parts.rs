//! The parts of the page. Long lists fold: some stand for the rest, and the rest is counted.

use super::{code, escaped};
use crate::view::guests::{self, Block};
use crate::view::picture::{self, Column, Moment, Room, Tone, svg};
use crate::view::scripts::shown;
use crate::view::shown::{Outcome, Story};
use crate::view::{GuestScript, PlanShown, words};
use plimsoll_core::model::{FieldDiff, Kind, Severity};
use plimsoll_core::plan::{
    Action, Change, Drift, Effect, Finding, ItemChange, Plan, RuleNode, Topology,
};
use std::fmt::Write as _;

/// A page with more of one kind than this is not read but searched, and the JSON is better for that.
const MOST: usize = 100;
const ROOM: Room = Room {
    moment: Moment::Planned,
    rules: 40,
    guests: 24,
};

fn more(total: usize, noun: &str) -> String {
    if total <= MOST {
        return String::new();
    }
    let rest = words::count(total - MOST, &format!("more {noun}"));
    format!("<p class=\"note\">… and {rest}: the JSON output lists all.</p>\n")
}

pub(super) fn reads(plan: &Plan) -> String {
    let reads = &plan.reads;
    let parts: Vec<String> = [
        (reads.load_balancers, "load balancer"),
        (reads.public_ips, "public IP"),
        (reads.network_interfaces, "network interface"),
        (reads.guests, "guest"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, noun)| words::count(*number, noun))
    .collect();
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        words::list(&parts)
    }
}

pub(super) fn counts(plan: &Plan) -> String {
    if !plan.has_changes() {
        return String::new();
    }
    let summary = plan.summary();
    let tally = &summary.tally;
    let other = tally.of(Action::Adopt) + tally.of(Action::Forget);
    let interruptions = summary.interruptions.len();
    let one = |number, one: &'static str, many: &'static str| if number == 1 { one } else { many };
    let loud = |number: usize| if number > 0 { " class=\"loud\"" } else { "" };
    let mut out = String::from("<ul class=\"counts\" aria-label=\"Counts\">\n");
    for (number, what, class) in [
        (tally.to_add(), "to add", ""),
        (tally.of(Action::Update), "to change", ""),
        (tally.to_destroy(), "to destroy", loud(tally.to_destroy())),
        (
            tally.guests,
            one(tally.guests, "guest to change", "guests to change"),
            "",
        ),
        (
            interruptions,
            one(interruptions, "interruption", "interruptions"),
            loud(interruptions),
        ),
        (
            tally.writes,
            one(tally.writes, "write to Azure", "writes to Azure"),
            "",
        ),
    ] {
        let _ = writeln!(out, "<li{class}><b>{number}</b> <span>{what}</span></li>");
    }
    if other > 0 {
        let _ = writeln!(
            out,
            "<li><b>{other}</b> <span>to adopt or forget</span></li>"
        );
    }
    out.push_str("</ul>\n");
    out
}

fn alarm(id: &str, heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<section class=\"alarm\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n<ul>\n"
    );
    for line in lines.iter().take(MOST) {
        let _ = writeln!(out, "<li>{line}</li>");
    }
    out.push_str("</ul>\n");
    if lines.len() > MOST {
        let _ = writeln!(out, "<p>… and {} more.</p>", lines.len() - MOST);
    }
    out.push_str("</section>\n");
    out
}

/// Why it cannot be applied, what is interrupted, what is deleted.
pub(super) fn alarms(plan: &Plan) -> String {
    let summary = plan.summary();
    let interruptions: Vec<String> = summary
        .interruptions
        .iter()
        .map(|flow| {
            format!(
                "{} (rule {}): {}",
                code(&words::destination(flow)),
                code(&flow.rule),
                escaped(&words::effect(flow))
            )
        })
        .collect();
    let deletions: Vec<String> = summary
        .deletions
        .iter()
        .map(|gone| escaped(&words::deletion(gone)))
        .collect();
    let blocked = if plan.applyable {
        unread(plan)
    } else {
        let why: Vec<String> = plan.blocked.iter().map(|w| escaped(w)).collect();
        alarm("blocked", "This plan cannot be applied", &why)
    };
    let accepted: Vec<String> = plan
        .accepted_unready
        .iter()
        .map(|guest| escaped(&words::accepted_unready(guest)))
        .collect();
    format!(
        "{blocked}{}{}{}",
        alarm("accepted", "Accepted", &accepted),
        alarm("interruptions", "Interruptions", &interruptions),
        alarm("deletions", "Deletions", &deletions)
    )
}

pub(super) fn unread(plan: &Plan) -> String {
    if plan.complete {
        return String::new();
    }
    let mut why: Vec<String> = plan.blocked.iter().map(|w| escaped(w)).collect();
    if why.is_empty() {
        why.push("This is a part of the picture.".to_owned());
    }
    alarm("unread", "Not everything could be read", &why)
}

pub(super) fn topology(plan: &Plan, moment: Moment) -> String {
    let picture = picture::picture(&plan.topology, Room { moment, ..ROOM });
    if picture.is_empty() {
        return String::new();
    }
    let count = |column| picture.boxes.iter().filter(|b| b.column == column).count();
    let description = format!(
        "Packets go from {} over {} and {} to {}. The table below, Where packets arrive, says the same in words.",
        words::count(count(Column::Frontend), "frontend"),
        words::count(plan.topology.rules.len(), "rule"),
        words::count(count(Column::Pool), "backend pool"),
        words::count(plan.topology.guests.len(), "guest"),
    );
    let legend: String = picture
        .tones()
        .into_iter()
        .filter_map(|tone| {
            Some(format!(
                "<li class=\"tag {}\">{}</li>",
                tone.class(),
                tone.word()?
            ))
        })
        .collect();
    let mut caption = String::new();
    if !legend.is_empty() {
        let _ = write!(
            caption,
            "<ul class=\"legend\" aria-label=\"Colours\">{legend}</ul>"
        );
    }
    for note in &picture.left_out {
        let _ = write!(caption, "<p class=\"note\">{}</p>", escaped(note));
    }
    if !caption.is_empty() {
        caption = format!("<figcaption>{caption}</figcaption>");
    }
    format!(
        "<figure><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Picture of the topology\">\n{}</div>{caption}</figure>\n",
        svg::text(&picture, "The way of the packets", &description)
    )
}

fn tone(action: Action) -> Tone {
    match action {
        Action::NoOp => Tone::Same,
        Action::Create => Tone::Added,
        Action::Update | Action::Adopt => Tone::Changed,
        Action::Replace | Action::Delete => Tone::Deleted,
        Action::Forget => Tone::Foreign,
    }
}

fn tag(action: Action) -> String {
    let word = match action {
        Action::NoOp => "the same",
        Action::Create => "added",
        Action::Update => "changed",
        Action::Replace => "replaced",
        Action::Delete => "deleted",
        Action::Adopt => "adopted",
        Action::Forget => "forgotten",
    };
    format!("<span class=\"tag {}\">{word}</span>", tone(action).class())
}

fn severity_tag(severity: Severity) -> String {
    let class = match severity {
        Severity::Error => "broken",
        Severity::Warning => "warning",
        Severity::Advice => "foreign",
    };
    format!(
        "<span class=\"tag {class}\">{}</span>",
        words::severity(severity)
    )
}

pub(super) fn changes(shown: &PlanShown<'_>) -> String {
    let plan = shown.plan;
    let mut out = String::new();
    let azure: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|c| c.addr.kind != Kind::Guest && c.is_news())
        .collect();
    for change in azure.iter().take(MOST) {
        resource(change, shown, &mut out);
    }
    out.push_str(&more(azure.len(), "resource"));
    let blocks = guests::blocks(plan);
    for block in blocks.iter().take(MOST) {
        guest(block, shown, &mut out);
    }
    out.push_str(&more(blocks.len(), "guest"));
    out
}

/// Address, what it is, and where it stands.
fn card(change: &Change, also: &str, shown: &PlanShown<'_>, out: &mut String) {
    let _ = write!(
        out,
        "<article class=\"card\">\n<h3><code>{}</code>{also}</h3>\n<p class=\"about\">",
        escaped(&change.addr.to_string())
    );
    let mut about = Vec::new();
    if !change.about.is_empty() {
        about.push(escaped(&change.about));
    }
    about.extend(at(shown, &change.addr, ""));
    out.push_str(&about.join(" · "));
    out.push_str("</p>\n");
}

/// `web.plim.hcl:31`, as a link where the host has a page for it.
fn at(shown: &PlanShown<'_>, addr: &plimsoll_core::model::Addr, text: &str) -> Option<String> {
    let place = shown.places.of(addr, text)?;
    let words = code(&format!("{}:{}", place.file, place.line));
    Some(match shown.places.link(&place) {
        Some(link) => format!("<a href=\"{}\">{words}</a>", escaped(&link)),
        None => words,
    })
}

fn resource(change: &Change, shown: &PlanShown<'_>, out: &mut String) {
    let also = match change.action {
        Action::NoOp | Action::Update => String::new(),
        Action::Create | Action::Replace | Action::Delete | Action::Adopt | Action::Forget => {
            format!(" {}", tag(change.action))
        }
    };
    card(change, &also, shown, out);
    let list = List::open(out);
    if change.action != Action::Create && !change.fields.is_empty() {
        let _ = writeln!(
            out,
            "<li>{}<div class=\"what\">its own attributes{}</div></li>",
            tag(Action::Update),
            fields(&change.fields)
        );
    }
    let items: Vec<&ItemChange> = [
        Action::Delete,
        Action::Replace,
        Action::Update,
        Action::Create,
        Action::Adopt,
        Action::Forget,
    ]
    .into_iter()
    .flat_map(|action| change.items.iter().filter(move |i| i.action == action))
    .collect();
    for item in items.iter().take(MOST) {
        let fields = if item.action == Action::Create {
            String::new()
        } else {
            fields(&item.fields)
        };
        let _ = writeln!(
            out,
            "<li>{}<div class=\"what\">{} <strong>{}</strong> <span class=\"aside\">{}</span>{fields}</div></li>",
            tag(item.action),
            words::item_noun(item.kind),
            escaped(&item.name),
            escaped(&item.about),
        );
    }
    if !change.foreign.is_empty() {
        const NAMED: usize = 12;
        let mut names: Vec<String> = change
            .foreign
            .iter()
            .take(NAMED)
            .map(|f| format!("{} {:?}", words::item_noun(f.kind), f.name))
            .collect();
        if change.foreign.len() > NAMED {
            names.push(format!("{} more", change.foreign.len() - NAMED));
        }
        let _ = writeln!(
            out,
            "<li><span class=\"tag\">not ours, kept</span><div class=\"what aside\">{}</div></li>",
            escaped(&words::list(&names))
        );
    }
    notes(&change.notes, out);
    list.close(out);
    out.push_str(&more(items.len(), "part"));
    out.push_str("</article>\n");
}

/// A list that is not there when nothing was put into it.
struct List {
    start: usize,
    content: usize,
}

impl List {
    fn open(out: &mut String) -> Self {
        let start = out.len();
        out.push_str("<ul class=\"items\">\n");
        Self {
            start,
            content: out.len(),
        }
    }

    fn close(self, out: &mut String) {
        if out.len() == self.content {
            out.truncate(self.start);
        } else {
            out.push_str("</ul>\n");
        }
    }
}

fn notes(notes: &[String], out: &mut String) {
    for note in notes {
        let _ = writeln!(
            out,
            "<li><span class=\"tag\">note</span><div class=\"what\">{}</div></li>",
            escaped(note)
        );
    }
}

fn fields(fields: &[FieldDiff]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let mut out = String::from("<ul>");
    for field in fields {
        let text = |value: &Option<plimsoll_core::model::Attr>| {
            value
                .as_ref()
                .map_or("(not set)".to_owned(), ToString::to_string)
        };
        let _ = write!(
            out,
            "<li><code>{}</code> <del>{}</del> → <ins>{}</ins></li>",
            escaped(&field.name),
            escaped(&text(&field.before)),
            escaped(&text(&field.after))
        );
    }
    out.push_str("</ul>");
    out
}

fn guest(block: &Block<'_>, shown: &PlanShown<'_>, out: &mut String) {
    const NAMED: usize = 6;
    let first = block.guests[0];
    let also = match &block.guests[1..] {
        [] => String::new(),
        others => {
            let mut names: Vec<String> = others
                .iter()
                .take(NAMED)
                .map(|g| g.addr.to_string())
                .collect();
            if others.len() > NAMED {
                names.push(format!("{} more", others.len() - NAMED));
            }
            format!(
                " <small>and the same in {}</small>",
                escaped(&words::list(&names))
            )
        }
    };
    card(first, &also, shown, out);
    out.push_str("<ul class=\"items\">\n");
    for row in block.rows.iter().take(MOST) {
        let aside: Vec<&str> = [row.purpose.as_str(), row.aside.as_str()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .collect();
        let _ = writeln!(
            out,
            "<li>{}<div class=\"what\">{} <span class=\"aside\">{}</span></div></li>",
            tag(row.action),
            escaped(&row.what),
            escaped(&aside.join(" · "))
        );
    }
    notes(&first.notes, out);
    out.push_str("</ul>\n");
    out.push_str(&more(block.rows.len(), "part"));
    out.push_str("</article>\n");
}

pub(super) fn traffic(plan: &Plan) -> String {
    if plan.traffic.is_empty() || plan.steps.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Traffic\"><table>\n<thead><tr><th scope=\"col\">Destination</th><th scope=\"col\">Rule</th><th scope=\"col\">What happens</th></tr></thead>\n<tbody>\n",
    );
    let mut flows: Vec<_> = plan.traffic.iter().collect();
    flows.sort_by_key(|t| !t.effect.interrupts());
    for flow in flows.iter().take(MOST) {
        let class = match flow.effect {
            Effect::NotInterrupted if flow.lost.is_some() => "warning",
            Effect::NotInterrupted => "same",
            Effect::Begins { .. } => "added",
            Effect::Ends { .. } | Effect::Changes { .. } => "deleted",
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"mono\">{}</th><td>{}</td><td><span class=\"tag {class}\">{}</span></td></tr>",
            escaped(&words::destination(flow)),
            escaped(&flow.rule),
            escaped(&words::effect(flow))
        );
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(&more(flows.len(), "destination"));
    out
}

pub(super) fn order(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    if let Some(cost) = words::cost(plan) {
        let _ = writeln!(out, "<p>Takes {}</p>", escaped(&cost));
    }
    out.push_str("<ol class=\"steps\">\n");
    for step in plan.steps.iter().take(MOST) {
        let mut whys: Vec<&str> = Vec::new();
        for edge in &step.after {
            if !whys.contains(&edge.why.as_str()) {
                whys.push(&edge.why);
            }
        }
        let _ = write!(
            out,
            "<li value=\"{}\"><span class=\"tag\">{}</span> {} {}",
            step.id,
            words::phase(step.phase),
            code(&step.addr.to_string()),
            escaped(&step.title)
        );
        for why in whys {
            let ids: Vec<String> = step
                .after
                .iter()
                .filter(|e| e.why == why)
                .take(8)
                .map(|e| e.step.to_string())
                .collect();
            let _ = write!(
                out,
                "<br><span class=\"why\">after {}: {}</span>",
                words::list(&ids),
                escaped(why)
            );
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    out.push_str(&more(plan.steps.len(), "step"));
    out
}

pub(super) fn findings(shown: &PlanShown<'_>) -> String {
    let all = &shown.plan.findings;
    if all.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"card\"><ul class=\"items\">\n");
    for finding in all.iter().take(MOST) {
        out.push_str(&one_finding(finding, shown));
    }
    out.push_str("</ul></div>\n");
    out.push_str(&more(all.len(), "finding"));
    out.push_str("<p class=\"note\"><code>plimsoll explain CODE</code> says more of each.</p>\n");
    out
}

fn one_finding(finding: &Finding, shown: &PlanShown<'_>) -> String {
    let mut aside = vec![code(&finding.code)];
    if let Some(addr) = &finding.addr {
        aside.push(code(&addr.to_string()));
        aside.extend(at(shown, addr, &finding.what));
    }
    let mut out = format!(
        "<li>{}<div class=\"what\">{} <span class=\"aside\">{}</span>",
        severity_tag(finding.severity),
        escaped(&finding.what),
        aside.join(" · ")
    );
    for note in &finding.notes {
        let _ = write!(out, "<br><span class=\"aside\">{}</span>", escaped(note));
    }
    out.push_str("</div></li>\n");
    out
}

/// What `--target` and `--exclude` keep out of the plan, and why.
pub(super) fn left_out(plan: &Plan) -> String {
    if plan.left_out.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"card\"><ul class=\"items\">\n");
    for left in plan.left_out.iter().take(MOST) {
        let _ = writeln!(
            out,
            "<li><span class=\"tag\">not now</span><div class=\"what\">{} <span class=\"aside\">{}</span></div></li>",
            code(&left.addr.to_string()),
            escaped(&left.why)
        );
    }
    out.push_str("</ul></div>\n");
    out.push_str(&more(plan.left_out.len(), "change"));
    out
}

/// What the configuration asks for since the last apply: nobody moved it.
pub(super) fn pending(shown: &PlanShown<'_>) -> String {
    drift_list(shown.plan.not_yet_applied.iter(), shown)
}

/// What moved, in a plan that puts it right.
pub(super) fn moved(shown: &PlanShown<'_>) -> String {
    drift_list(shown.plan.drift.iter().filter(|d| d.kind.is_news()), shown)
}

pub(super) fn drift(shown: &PlanShown<'_>) -> String {
    drift_list(shown.plan.drift.iter(), shown)
}

fn drift_list<'a>(all: impl Iterator<Item = &'a Drift>, shown: &PlanShown<'_>) -> String {
    let mut sorted: Vec<&Drift> = all.collect();
    if sorted.is_empty() {
        return String::new();
    }
    sorted.sort_by_key(|d| d.severity);
    let mut out = String::from("<div class=\"card\"><ul class=\"items\">\n");
    for one in sorted.iter().take(MOST) {
        let tag = match one.severity {
            Severity::Error => "<span class=\"tag broken\">breaks traffic</span>".to_owned(),
            Severity::Warning | Severity::Advice => severity_tag(one.severity),
        };
        let mut aside = vec![code(&one.addr.to_string())];
        aside.extend(at(shown, &one.addr, &one.what));
        let _ = write!(
            out,
            "<li>{tag}<div class=\"what\">{} <span class=\"aside\">{}</span>",
            escaped(&one.what),
            aside.join(" · ")
        );
        if !one.impact.is_empty() {
            out.push_str("<ul>");
            for impact in &one.impact {
                let _ = write!(out, "<li>{}</li>", escaped(impact));
            }
            out.push_str("</ul>");
        }
        if !one.cause.is_empty() {
            let _ = write!(out, "<div class=\"aside\">{}</div>", escaped(&one.cause));
        }
        out.push_str("</div></li>\n");
    }
    out.push_str("</ul></div>\n");
    out.push_str(&more(sorted.len(), "difference"));
    out
}

/// The table of the Microsoft page, from the picture's own parts.
pub(super) fn map(plan: &Plan, moment: Moment) -> String {
    let topology = &plan.topology;
    if topology.rules.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Where packets arrive\"><table>\n<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Frontend</th><th scope=\"col\">Protocol</th><th scope=\"col\" class=\"number\">Port</th><th scope=\"col\">Destination in the guest</th><th scope=\"col\">Guests</th><th scope=\"col\">State</th></tr></thead>\n<tbody>\n",
    );
    let rules = topology.rules.iter().filter(|r| moment.draws(r.mark));
    for rule in rules.take(MOST) {
        out.push_str(&map_row(rule, topology, moment));
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(&more(topology.rules.len(), "rule"));
    out
}

fn map_row(rule: &RuleNode, topology: &Topology, moment: Moment) -> String {
    const NAMED: usize = 6;
    let frontend = rule.frontend.map(|f| &topology.frontends[f]);
    let address =
        frontend
            .and_then(|f| f.address.as_ref())
            .map_or("no address of its own".to_owned(), |w| match w.known() {
                Some(address) => address.to_string(),
                None => "known after apply".to_owned(),
            });
    let members = rule.pools.iter().flat_map(|p| &topology.pools[*p].members);
    let mut names: Vec<String> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    for member in members {
        let name = topology.guests[member.guest].addr.name().to_owned();
        if !names.contains(&name) {
            names.push(name);
            own.extend(member.address.map(|a| a.to_string()));
        }
        if names.len() > 2000 {
            break;
        }
    }
    let total = names.len();
    let shorten = |mut names: Vec<String>| {
        if names.len() > NAMED {
            let rest = names.len() - NAMED;
            names.truncate(NAMED);
            names.push(format!("{rest} more"));
        }
        names.join(", ")
    };
    let port = |port: Option<u16>| port.map_or("every".to_owned(), |p| p.to_string());
    let destination = match (rule.floating_ip, rule.backend_port) {
        (true, Some(backend)) => format!(
            "<span class=\"mono\">{}</span> port {backend} <span class=\"note\">the frontend's address</span>",
            escaped(&address)
        ),
        (true, None) => format!(
            "<span class=\"mono\">{}</span>, every port",
            escaped(&address)
        ),
        (false, backend) => format!(
            "the VM's own address, port {} <span class=\"note\">{}</span>",
            port(backend),
            escaped(&shorten(own))
        ),
    };
    let state = match picture::mark_tone(moment.mark(rule.mark)) {
        Tone::Same => "as it is".to_owned(),
        tone => format!(
            "<span class=\"tag {}\">{}</span>",
            tone.class(),
            tone.word().unwrap_or_default()
        ),
    };
    let guests = if total == 0 {
        "none".to_owned()
    } else {
        escaped(&shorten(names))
    };
    format!(
        "<tr><th scope=\"row\">{}</th><td>{} <span class=\"mono nowrap\">{}</span></td><td>{}</td><td class=\"number\">{}</td><td>{destination}</td><td>{guests}</td><td>{state}</td></tr>\n",
        escaped(&rule.name),
        escaped(frontend.map_or("", |f| &f.name)),
        escaped(&address),
        rule.protocol.map_or("", |p| p.word()),
        port(rule.port),
    )
}

pub(super) fn next(next: &[(String, String)]) -> String {
    next.iter()
        .map(|(what, command)| {
            format!(
                "<p>{}:</p>\n<pre tabindex=\"0\"><code>{}</code></pre>\n",
                escaped(what),
                escaped(command)
            )
        })
        .collect()
}

/// What guests are sent, each folded.
pub(super) fn scripts(scripts: &[GuestScript]) -> String {
    // Line ends and tabs are part of a script.
    let exact = |line: &str| -> String {
        let pieces: Vec<String> = line.split('\t').map(escaped).collect();
        pieces.join("\t") + "\n"
    };
    shown(scripts)
        .iter()
        .map(|script| {
            let text: String = script.text().lines().map(exact).collect();
            format!(
                "<details><summary>{}</summary>\n<pre tabindex=\"0\"><code>{}</code></pre>\n</details>\n",
                escaped(&script.title()),
                text
            )
        })
        .collect()
}

/// What became of each step.
pub(super) fn story(plan: &Plan, story: &Story<'_>) -> String {
    let mut out = String::new();
    let mut moved: Vec<String> = story
        .ending
        .stale
        .iter()
        .map(|(target, what)| format!("{}: {}", code(target), escaped(&what.join(", "))))
        .collect();
    moved.extend(
        story
            .ending
            .state_lost
            .map(|why| format!("The state could not be written: {}", escaped(why))),
    );
    out.push_str(&alarm("moved", "What stopped it", &moved));
    if plan.steps.is_empty() {
        return out;
    }
    out.push_str("<ol class=\"steps\">\n");
    for step in plan.steps.iter().take(MOST) {
        let (class, word, long) = match story.outcomes.get(&step.id) {
            Some(Outcome::Done { milliseconds }) => (
                "added",
                format!("verified, {}", words::milliseconds(*milliseconds)),
                None,
            ),
            Some(Outcome::DoneBefore) => ("added", "done before".to_owned(), None),
            Some(Outcome::Failed { error }) => ("broken", "failed".to_owned(), Some(error)),
            Some(Outcome::Skipped { because }) => ("warning", "not done".to_owned(), Some(because)),
            None => ("foreign", "not begun".to_owned(), None),
        };
        let _ = write!(
            out,
            "<li value=\"{}\"><span class=\"tag {class}\">{word}</span> {} {}",
            step.id,
            code(&step.addr.to_string()),
            escaped(&step.title)
        );
        if let Some(long) = long {
            let lines: Vec<String> = long.lines().map(escaped).collect();
            let _ = write!(
                out,
                "<pre tabindex=\"0\"><code>{}</code></pre>",
                lines.join("\n")
            );
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    out.push_str(&more(plan.steps.len(), "step"));
    out
}
