//! The pipeline this runs in: what GitHub Actions and Azure Pipelines say of themselves, and the lines that they act upon.

use std::path::{Component, Path, PathBuf};

/// Where this runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Elsewhere,
    GitHub(GitHub),
    AzureDevOps(AzureDevOps),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GitHub {
    workspace: Option<PathBuf>,
    /// `https://github.com/owner/name/blob/COMMIT`
    blob: Option<String>,
    /// Where step outputs are written.
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AzureDevOps {
    sources: Option<PathBuf>,
    /// The repository's page, and the commit.
    repository: Option<(String, String)>,
}

/// A place in a source file, as a log or a review shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// As it can be opened from where the person stands.
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// How loud an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loudness {
    Error,
    Warning,
}

impl Host {
    pub(crate) fn detect(read: &dyn Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| read(name).filter(|value| !value.is_empty());
        let is = |name: &str| read(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        if is("GITHUB_ACTIONS") {
            let blob = || {
                Some(format!(
                    "{}/{}/blob/{}",
                    read("GITHUB_SERVER_URL")?,
                    read("GITHUB_REPOSITORY")?,
                    read("GITHUB_SHA")?
                ))
            };
            return Self::GitHub(GitHub {
                workspace: read("GITHUB_WORKSPACE").map(PathBuf::from),
                blob: blob(),
                output: read("GITHUB_OUTPUT").map(PathBuf::from),
            });
        }
        if is("TF_BUILD") {
            // Only repositories of Azure DevOps itself have its pages.
            let own = read("BUILD_REPOSITORY_PROVIDER").is_some_and(|p| p == "TfsGit");
            let repository = || Some((read("BUILD_REPOSITORY_URI")?, read("BUILD_SOURCEVERSION")?));
            return Self::AzureDevOps(AzureDevOps {
                sources: read("BUILD_SOURCESDIRECTORY").map(PathBuf::from),
                repository: repository().filter(|_| own),
            });
        }
        Self::Elsewhere
    }

    pub(crate) fn here() -> Self {
        Self::detect(&|name| std::env::var(name).ok())
    }

    /// A link to the line, where the host has a page for it.
    pub(crate) fn link(&self, place: &Place) -> Option<String> {
        match self {
            Self::Elsewhere => None,
            Self::GitHub(github) => {
                let path = within(github.workspace.as_deref()?, &place.file)?;
                let blob = github.blob.as_ref()?;
                Some(format!("{blob}/{}#L{}", url(&path), place.line))
            }
            Self::AzureDevOps(azure) => {
                let path = within(azure.sources.as_deref()?, &place.file)?;
                let (page, commit) = azure.repository.as_ref()?;
                let (line, end) = (place.line, place.line + 1);
                Some(format!(
                    "{page}?path=/{}&version=GC{commit}&line={line}&lineEnd={end}&lineStartColumn=1&lineEndColumn=1",
                    url(&path)
                ))
            }
        }
    }

    /// The line that makes the host show a message beside the code; none elsewhere.
    pub(crate) fn annotation(
        &self,
        loudness: Loudness,
        code: &str,
        message: &str,
        place: Option<&Place>,
    ) -> Option<String> {
        match self {
            Self::Elsewhere => None,
            Self::GitHub(github) => {
                let mut properties = Vec::new();
                if let Some(place) = place {
                    let base = github.workspace.as_deref();
                    let file = base.and_then(|base| within(base, &place.file));
                    let file = file.unwrap_or_else(|| place.file.clone());
                    properties.push(format!("file={}", github_property(&file)));
                    properties.push(format!("line={}", place.line));
                    properties.push(format!("col={}", place.column));
                }
                properties.push(format!("title=plimsoll {}", github_property(code)));
                let word = match loudness {
                    Loudness::Error => "error",
                    Loudness::Warning => "warning",
                };
                let message = github_data(message);
                Some(format!("::{word} {}::{message}\n", properties.join(",")))
            }
            Self::AzureDevOps(azure) => {
                let mut properties = match loudness {
                    Loudness::Error => "type=error".to_owned(),
                    Loudness::Warning => "type=warning".to_owned(),
                };
                if let Some(place) = place {
                    let base = azure.sources.as_deref();
                    let file = base.and_then(|base| within(base, &place.file));
                    let file = file.unwrap_or_else(|| place.file.clone());
                    properties.push_str(&format!(
                        ";sourcepath={};linenumber={};columnnumber={}",
                        azure_property(&file),
                        place.line,
                        place.column
                    ));
                }
                properties.push_str(&format!(";code={}", azure_property(code)));
                let message = azure_data(message);
                Some(format!("##vso[task.logissue {properties}]{message}\n"))
            }
        }
    }

    /// The line that sets a step's output variable in Azure Pipelines. GitHub reads a file instead.
    pub(crate) fn variable(&self, name: &str, value: &str) -> Option<String> {
        match self {
            Self::AzureDevOps(_) => Some(format!(
                "##vso[task.setvariable variable={};isOutput=true]{}\n",
                azure_property(name),
                azure_data(value)
            )),
            Self::Elsewhere | Self::GitHub(_) => None,
        }
    }

    /// Text that is not ours, without anything that the host would take for a command of ours.
    ///
    /// GitHub looks at the beginning of each line and for `##[` anywhere in it, Azure Pipelines for `##vso[` and `##[`.
    pub(crate) fn defused(&self, text: &str) -> String {
        if *self == Self::Elsewhere {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let start = line.len() - line.trim_start().len();
            let (blank, rest) = line.split_at(start);
            out.push_str(blank);
            if let Some(rest) = rest.strip_prefix("::") {
                out.push_str(": :");
                out.push_str(&parted(rest));
            } else {
                out.push_str(&parted(rest));
            }
        }
        out
    }
}

fn parted(line: &str) -> String {
    let folded = line.to_ascii_lowercase();
    if !folded.contains("##vso[") && !folded.contains("##[") {
        return line.to_owned();
    }
    // Of three in a row, two would be left.
    let mut line = line.to_owned();
    while line.contains("##") {
        line = line.replace("##", "# #");
    }
    line
}

fn github_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}

fn azure_data(text: &str) -> String {
    text.replace('%', "%AZP25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn azure_property(text: &str) -> String {
    azure_data(text).replace(']', "%5D").replace(';', "%3B")
}

/// The path below the repository's root, with slashes; `None` for what lies elsewhere.
fn within(root: &Path, file: &str) -> Option<String> {
    let path = Path::new(file);
    let whole = if path.is_absolute() {
        path.to_path_buf()
    } else {
        std::env::current_dir().ok()?.join(path)
    };
    let mut plain = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    let below = plain.strip_prefix(root).ok()?;
    let parts: Vec<String> = below
        .components()
        .map(|c| c.as_os_str().to_string_lossy().into_owned())
        .collect();
    Some(parts.join("/"))
}

/// A path inside an address.
fn url(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(pairs: &[(&str, &str)]) -> Host {
        Host::detect(&|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn github() -> Host {
        host(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_WORKSPACE", "/w/repo"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_SHA", "abc"),
        ])
    }

    fn azure() -> Host {
        host(&[
            ("TF_BUILD", "True"),
            ("BUILD_SOURCESDIRECTORY", "/w/repo"),
            ("BUILD_REPOSITORY_PROVIDER", "TfsGit"),
            ("BUILD_REPOSITORY_URI", "https://dev.azure.com/o/p/_git/r"),
            ("BUILD_SOURCEVERSION", "abc"),
        ])
    }

    fn place() -> Place {
        Place {
            file: "/w/repo/live/../net/a b.plim.hcl".to_owned(),
            line: 31,
            column: 3,
        }
    }

    #[test]
    fn annotations_point_at_the_line_and_their_text_stays_text() {
        let message = "100%\n::set-env name=A::b, ##vso[task.complete]";
        let said = |host: &Host| {
            host.annotation(Loudness::Error, "PL0101", message, Some(&place()))
                .unwrap()
        };
        assert_eq!(
            said(&github()),
            "::error file=net/a b.plim.hcl,line=31,col=3,title=plimsoll PL0101::100%25%0A::set-env name=A::b, ##vso[task.complete]\n"
        );
        assert_eq!(
            said(&azure()),
            "##vso[task.logissue type=error;sourcepath=net/a b.plim.hcl;linenumber=31;columnnumber=3;code=PL0101]100%AZP25%0A::set-env name=A::b, ##vso[task.complete]\n"
        );
        let anywhere = Host::Elsewhere.annotation(Loudness::Error, "PL0101", message, None);
        assert_eq!(anywhere, None);
    }

    #[test]
    fn links_lead_to_the_commit() {
        assert_eq!(
            github().link(&place()).unwrap(),
            "https://github.com/o/r/blob/abc/net/a%20b.plim.hcl#L31"
        );
        assert!(
            azure()
                .link(&place())
                .unwrap()
                .contains("_git/r?path=/net/a%20b.plim.hcl&version=GCabc&line=31")
        );
        let outside = Place {
            file: "/elsewhere/x".to_owned(),
            ..place()
        };
        assert_eq!(github().link(&outside), None);
    }

    #[test]
    fn foreign_text_gives_no_commands() {
        let hostile = "  ::error::x\na ###vso[task.complete]\n##[error]y\nfd00::1\n## kept\n";
        for host in [github(), azure()] {
            let text = host.defused(hostile);
            assert!(!text.contains("##vso[") && !text.contains("##["), "{text}");
            assert!(
                text.lines().all(|l| !l.trim_start().starts_with("::")),
                "{text}"
            );
            assert!(text.contains("fd00::1") && text.contains("## kept"));
        }
        assert_eq!(Host::Elsewhere.defused(hostile), hostile);
    }
}
