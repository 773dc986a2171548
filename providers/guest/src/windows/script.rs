//! The text of scripts. Whatever comes from outside goes through `quote`, everything else is typed. All of it is ASCII:
//! Windows PowerShell reads other bytes by whatever code page the machine has.

const FACTS: &str = include_str!("facts.ps1");

/// The quotation marks that PowerShell takes for a single one.
const QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

/// One string literal for PowerShell, whatever visible text is in it: between single quotes only they mean anything, and two are one.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for letter in text.chars() {
        if QUOTES.contains(&letter) {
            quoted.push(letter);
        }
        quoted.push(letter);
    }
    quoted.push('\'');
    quoted
}

/// A JSON text with nothing but ASCII in it: other characters stand in strings only, where they can be escaped.
pub(crate) fn ascii_json(text: &str) -> String {
    let mut units = [0; 2];
    text.chars()
        .map(|letter| match letter {
            ' '..='~' | '\n' => letter.to_string(),
            _ => letter
                .encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect(),
        })
        .collect()
}

/// A comment is for people; what could end its line does not get into it.
fn comment(text: &str) -> String {
    let plain = |letter: char| match letter {
        ' '..='~' => letter.to_string(),
        _ => letter.escape_unicode().to_string(),
    };
    let lines = text.split('\n').map(|line| {
        let line: String = line.chars().map(plain).collect();
        format!("# {line}\n")
    });
    lines.collect()
}

/// One block: PowerShell parses it to its last brace before it runs anything of it, so a script that was cut does nothing.
pub(crate) fn compound(about: &str, body: &str) -> String {
    format!("{}& {{\n{body}}}\n", comment(about))
}

/// The script that reads a guest.
pub fn probe() -> String {
    let end = "Write-Facts\nif (Test-Path variable:plimsollPacked) { 0 } else { exit 0 }\n";
    compound(
        "Reads what plimsoll must know about this machine. Changes nothing.",
        &format!("{FACTS}{end}"),
    )
}

/// The script of a write: `body` runs under the guest's lock, and every refusal in it ends the script with a word.
pub(crate) fn write(about: &str, body: &str) -> String {
    let (apply, end) = (include_str!("apply.ps1"), include_str!("end.ps1"));
    compound(
        about,
        &format!("{FACTS}{apply}try {{\n{body}Write-Facts\n{end}"),
    )
}

/// A script around another one: runs it, and answers with the window of what it printed that begins at `offset`.
pub(crate) fn packed(script: &str, offset: usize, window: usize) -> String {
    let pack = include_str!("pack.ps1");
    format!(
        "& {{\n$script = {}\n$offset = {offset}\n$window = {window}\n{pack}}}\n",
        quote(script)
    )
}

/// What starts PowerShell where the login shell may be cmd or PowerShell: it runs the script that comes on its standard
/// input, so nothing of that passes through the login shell.
pub(crate) fn command() -> Vec<String> {
    use base64::Engine as _;
    // A script that was cut cannot be parsed, and says so by the status.
    let start = "$ProgressPreference = 'SilentlyContinue'; $lines = @($input); \
                 & ([scriptblock]::Create($lines -join \"`n\"))";
    let utf16: Vec<u8> = start.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = base64::engine::general_purpose::STANDARD.encode(utf16);
    let words = [
        "powershell.exe",
        "-NoLogo",
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "Bypass",
        "-OutputFormat",
        "Text",
        "-EncodedCommand",
        &encoded,
    ];
    words.map(str::to_owned).to_vec()
}
