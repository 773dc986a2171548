//! Who is running this: for the lock that another runner finds, and for the state's last writer.

use plimsoll_core::state::Writer;
use plimsoll_store::LockInfo;

pub(crate) fn lock(operation: &str) -> LockInfo {
    let read = |name: &str| std::env::var(name).ok();
    LockInfo {
        who: name(&read),
        at: crate::clock::now(),
        pid: std::process::id(),
        operation: operation.to_owned(),
        url: run_url(&read),
    }
}

pub(crate) fn writer() -> Writer {
    let read = |name: &str| std::env::var(name).ok();
    Writer {
        at: crate::clock::now(),
        by: name(&read),
        plimsoll_version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit(&read),
    }
}

/// A pipeline's run where there is one, or else `user@host`.
fn name(read: &dyn Fn(&str) -> Option<String>) -> String {
    let read = |name: &str| read(name).filter(|value| !value.is_empty());
    if let (Some(repository), Some(run)) = (read("GITHUB_REPOSITORY"), read("GITHUB_RUN_ID")) {
        return format!("GitHub Actions {repository} run {run}");
    }
    if let (Some(project), Some(build)) = (read("SYSTEM_TEAMPROJECT"), read("BUILD_BUILDID")) {
        return format!("Azure Pipelines {project} build {build}");
    }
    if let (Some(project), Some(job)) = (read("CI_PROJECT_PATH"), read("CI_JOB_ID")) {
        return format!("GitLab {project} job {job}");
    }
    let user = read("USER")
        .or_else(|| read("LOGNAME"))
        .or_else(|| read("USERNAME"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| read("HOSTNAME"))
        .or_else(|| read("COMPUTERNAME"));
    let user = user
        .or_else(account)
        .unwrap_or_else(|| "someone".to_owned());
    match host.as_deref().map(str::trim) {
        Some(host) if !host.is_empty() => format!("{user}@{host}"),
        _ => user,
    }
}

/// Containers set no USER: whose process this is.
fn account() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let number = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| format!("uid {number}")))
}

/// Where the pipeline shows this run.
fn run_url(read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let read = |name: &str| read(name).filter(|value| !value.is_empty());
    let github = || {
        let (server, repository) = (read("GITHUB_SERVER_URL")?, read("GITHUB_REPOSITORY")?);
        Some(format!(
            "{server}/{repository}/actions/runs/{}",
            read("GITHUB_RUN_ID")?
        ))
    };
    let azure_pipelines = || {
        let (server, project) = (
            read("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")?,
            read("SYSTEM_TEAMPROJECT")?,
        );
        Some(format!(
            "{}/{project}/_build/results?buildId={}",
            server.trim_end_matches('/'),
            read("BUILD_BUILDID")?
        ))
    };
    github()
        .or_else(azure_pipelines)
        .or_else(|| read("CI_JOB_URL"))
}

fn commit(read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    ["GITHUB_SHA", "BUILD_SOURCEVERSION", "CI_COMMIT_SHA"]
        .iter()
        .find_map(|name| read(name))
        .filter(|commit| !commit.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_names_its_run() {
        let read = |name: &str| match name {
            "GITHUB_REPOSITORY" => Some("o/r".to_owned()),
            "GITHUB_RUN_ID" => Some("7".to_owned()),
            "GITHUB_SERVER_URL" => Some("https://github.com".to_owned()),
            "USER" => Some("runner".to_owned()),
            "GITHUB_SHA" => Some("abc".to_owned()),
            _ => None,
        };
        assert_eq!(name(&read), "GitHub Actions o/r run 7");
        assert_eq!(
            run_url(&read).as_deref(),
            Some("https://github.com/o/r/actions/runs/7")
        );
        assert_eq!(commit(&read).as_deref(), Some("abc"));
        assert!(!name(&|_| None).is_empty());
    }
}
