//! The text of scripts. Whatever comes from outside goes through `quote`, everything else is typed.

/// What every script needs.
pub(crate) const COMMON: &str = include_str!("common.sh");
const FACTS: &str = concat!(include_str!("common.sh"), include_str!("facts.sh"));

/// One word for sh, whatever is in it.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A here-document, taken literally. Its end mark cannot be a line of the text.
pub(crate) fn here_document(text: &str) -> String {
    let mut mark = "PLIMSOLL".to_owned();
    while text.lines().any(|line| line == mark) {
        mark.push('_');
    }
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("<<'{mark}'\n{text}{end}{mark}\n")
}

/// One compound command: sh runs nothing of it until it has read its last line, so a script that was cut does nothing.
/// Standard input is the script itself, which no command in it may eat.
pub(crate) fn compound(about: &str, body: &str) -> String {
    let about: String = about.lines().map(|line| format!("# {line}\n")).collect();
    format!("{about}{{\nexec </dev/null\n{body}exit 0\n}}\n")
}

/// The script that reads a guest.
pub fn probe() -> String {
    compound(
        "Reads what plimsoll must know about this machine. Changes nothing.",
        &format!("{FACTS}print_facts\n"),
    )
}

/// The script as Run Command sends it: it answers with the window of what the script prints that begins at `offset`.
pub fn windowed(script: &str, offset: usize) -> String {
    packed(script, offset, super::pack::WINDOW)
}

/// A script around another one: runs it, and answers with the window of what it printed that begins at `offset`.
pub(crate) fn packed(script: &str, offset: usize, window: usize) -> String {
    let document = here_document(script);
    let pack = include_str!("pack.sh");
    format!(
        "{{\nrun_script() {{\nPLIMSOLL_COMPACT=yes sh -s {document}}}\noffset={offset}\nwindow={window}\n{pack}exit 0\n}}\n"
    )
}

/// The functions that answer with facts.
pub(crate) fn facts_functions() -> &'static str {
    FACTS
}
