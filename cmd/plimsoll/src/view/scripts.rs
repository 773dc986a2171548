//! What guests are sent: the first script of its kind whole, the others by what they have different.

use super::GuestScript;
use plimsoll_core::model::guest::Os;
use similar::TextDiff;

/// One script as it is shown.
pub(super) struct Shown<'a> {
    pub(super) script: &'a GuestScript,
    pub(super) body: Body<'a>,
}

pub(super) enum Body<'a> {
    Whole(&'a str),
    /// As the script of an earlier one, but for these lines.
    But {
        like: &'a GuestScript,
        difference: String,
    },
    Unknown(&'a str),
}

/// A difference of more than half of the text is harder to read than the text.
pub(super) fn shown(scripts: &[GuestScript]) -> Vec<Shown<'_>> {
    let mut whole: Vec<(&GuestScript, &str)> = Vec::new();
    let mut all = Vec::new();
    for script in scripts {
        let body = match &script.text {
            Err(why) => Body::Unknown(why),
            Ok(text) => {
                let like = whole.iter().filter(|(first, _)| first.os == script.os);
                let differences = like.map(|(first, before)| (*first, difference(before, text)));
                match differences.min_by_key(|(_, difference)| difference.len()) {
                    Some((like, difference)) if difference.len() < text.len() / 2 => {
                        Body::But { like, difference }
                    }
                    Some(_) | None => {
                        whole.push((script, text));
                        Body::Whole(text)
                    }
                }
            }
        };
        all.push(Shown { script, body });
    }
    all
}

fn difference(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(2).to_string()
}

impl Shown<'_> {
    /// `step 2, guest.vm2: as step 1, guest.vm1, but for these lines`
    pub(super) fn title(&self) -> String {
        let name = |script: &GuestScript| format!("step {}, {}", script.step, script.guest);
        let own = name(self.script);
        match &self.body {
            Body::Whole(_) => own,
            Body::But { like, .. } => format!("{own}: as {}, but for these lines", name(like)),
            Body::Unknown(why) => format!("{own}: not known now, {why}"),
        }
    }

    /// Exactly what is sent. A script holds no control characters but tabs and line ends; one that did would not steer a
    /// terminal from here.
    pub(super) fn text(&self) -> String {
        let text = match &self.body {
            Body::Whole(text) => text,
            Body::But { difference, .. } => difference.as_str(),
            Body::Unknown(_) => "",
        };
        let visible = |c: char| match c {
            '\t' | '\n' => c,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        };
        text.chars().map(visible).collect()
    }

    /// The language that colours it.
    pub(super) fn language(&self) -> &'static str {
        match (&self.body, self.script.os) {
            (Body::But { .. }, _) => "diff",
            (_, Os::Linux) => "sh",
            (_, Os::Windows) => "powershell",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::plan::StepId;

    fn script(step: u32, os: Os, text: Result<&str, &str>) -> GuestScript {
        GuestScript {
            step: StepId(step),
            guest: format!("guest.vm{step}").parse().unwrap(),
            os,
            text: text.map(str::to_owned).map_err(str::to_owned),
        }
    }

    #[test]
    fn what_was_read_once_is_not_read_again() {
        let lines: String = (0..40).map(|n| format!("line {n}\n")).collect();
        let other = lines.replace("line 20\n", "line twenty\n");
        let scripts = [
            script(1, Os::Linux, Ok(&lines)),
            script(2, Os::Linux, Ok(&other)),
            script(3, Os::Windows, Ok(&lines)),
            script(4, Os::Linux, Err("nobody was asked")),
            script(5, Os::Linux, Ok("short\n")),
        ];
        let shown = shown(&scripts);
        let titles: Vec<String> = shown.iter().map(Shown::title).collect();
        assert_eq!(
            titles,
            [
                "step 1, guest.vm1",
                "step 2, guest.vm2: as step 1, guest.vm1, but for these lines",
                "step 3, guest.vm3",
                "step 4, guest.vm4: not known now, nobody was asked",
                "step 5, guest.vm5",
            ]
        );
        let languages: Vec<&str> = shown.iter().map(Shown::language).collect();
        assert_eq!(languages, ["sh", "diff", "powershell", "sh", "sh"]);
        assert_eq!(
            shown[1].text(),
            "@@ -19,5 +19,5 @@\n line 18\n line 19\n-line 20\n+line twenty\n line 21\n line 22\n"
        );
    }
}
