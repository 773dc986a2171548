//! Process 1 of the lab's root and of each guest.
//!
//! It runs in namespaces that `unshare` has made, sees the host's mounts, and arranges them: the
//! host's files become read-only, and the guest's own /etc, /var/lib and /root, a fresh /run, /tmp,
//! /dev, /proc and /sys come over them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::mount::{
    MountFlags, mount, mount_bind, mount_bind_recursive, mount_move, mount_remount,
};
use rustix::process::{Pid, WaitOptions, wait};

use super::{GUEST_BIN, GUEST_PATH, GUEST_PROGRAM, ROOT_PROGRAM, boot};

type Outcome<T> = Result<T, String>;

/// Prepares the lab's root namespace, the fabric's network, and starts the fabric's agent in it.
pub(super) fn root(stage: &str, program: &str) -> Outcome<()> {
    announce_pid()?;
    let stage = Path::new(stage);
    tmpfs(stage, "mode=755")?;
    fs::create_dir(stage.join("netns"))
        .map_err(|error| format!("Cannot make /run/netns: {error}"))?;
    bind_file(Path::new(program), &stage.join("plimsoll"))?;
    // `ip netns` keeps its names in /run/netns; this /run is ours, so they are too.
    move_mount(stage, Path::new("/run"))?;
    // The fabric routes, and it sees each direction of a flow on another link: no source checks.
    for (setting, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/default/accept_dad", "0"),
    ] {
        let path = format!("/proc/sys/net/{setting}");
        // A kernel without IPv6 has no such settings, and then needs none.
        if Path::new(&path).exists() {
            fs::write(&path, value).map_err(|error| format!("Cannot set {path}: {error}"))?;
        }
    }
    let agent = Command::new(ROOT_PROGRAM)
        .args(["lab-agent", "fabric"])
        .spawn()
        .map_err(|error| format!("Cannot start the fabric's agent: {error}"))?;
    reap_until(&agent)
}

/// Boots a guest: mounts, name, what its boot would run, then the responder.
pub(super) fn guest(name: &str, directory: &str, program: &str, boot_id: &str) -> Outcome<()> {
    announce_pid()?;
    let directory = Path::new(directory);
    let stage = directory.join("stage");
    tmpfs(&stage, "mode=755")?;
    let mut log = Vec::new();
    arrange(directory, &stage, Path::new(program), boot_id, &mut log)?;
    rustix::system::sethostname(name.as_bytes())
        .map_err(|error| format!("Cannot set the guest's host name: {error}"))?;
    std::env::set_current_dir("/").map_err(|error| format!("Cannot enter /: {error}"))?;
    boot::boot(&log);
    let agent = Command::new(GUEST_PROGRAM)
        .args(["lab-agent", "guest", name])
        .env_clear()
        .env("PATH", GUEST_PATH)
        .env("HOME", "/root")
        .spawn()
        .map_err(|error| format!("Cannot start the responder: {error}"))?;
    reap_until(&agent)
}

/// The first line of the agent's output: its process as the host numbers it.
///
/// /proc is still the host's here, so the link names the host's number, which the own PID
/// namespace hides.
fn announce_pid() -> Outcome<()> {
    let own =
        fs::read_link("/proc/self").map_err(|error| format!("Cannot read /proc/self: {error}"))?;
    let mut output = std::io::stdout();
    writeln!(output, "{}", own.display())
        .and_then(|()| output.flush())
        .map_err(|error| format!("Cannot report to the daemon: {error}"))
}

fn arrange(
    directory: &Path,
    stage: &Path,
    program: &Path,
    boot_id: &str,
    log: &mut Vec<String>,
) -> Outcome<()> {
    for folder in [
        "lab/bin",
        "systemd/system",
        "lock",
        "user",
        ".mounts/etc",
        ".mounts/lib",
        ".mounts/root",
        ".mounts/dev",
    ] {
        make_directory(&stage.join(folder))?;
    }
    let mounts = stage.join(".mounts");
    // Bound before anything is covered: the guest's directory may lie below /tmp or /root itself.
    bind(&directory.join("etc"), &mounts.join("etc"))?;
    bind(&directory.join("var-lib"), &mounts.join("lib"))?;
    bind(&directory.join("root"), &mounts.join("root"))?;
    bind_file(program, &stage.join("lab/bin/plimsoll"))?;
    devices(&mounts.join("dev"), log)?;
    write(&stage.join("lab/boot_id"), &format!("{boot_id}\n"))?;
    systemctl_shim(&stage.join("lab/bin/systemctl"))?;
    protect_host(stage, log)?;

    move_mount(&mounts.join("etc"), Path::new("/etc"))?;
    move_mount(&mounts.join("lib"), Path::new("/var/lib"))?;
    move_mount(&mounts.join("root"), Path::new("/root"))?;
    move_mount(&mounts.join("dev"), Path::new("/dev"))?;
    move_mount(stage, Path::new("/run"))?;
    for folder in ["etc", "lib", "root", "dev"] {
        // Empty by now; a leftover would only look odd.
        let _ = fs::remove_dir(Path::new("/run/.mounts").join(folder));
    }
    let _ = fs::remove_dir("/run/.mounts");
    tmpfs(Path::new("/tmp"), "mode=1777")?;
    for folder in ["/var/tmp", "/var/log"] {
        if Path::new(folder).is_dir() {
            tmpfs(Path::new(folder), "mode=1777")?;
        }
    }
    kernel_views(log)?;
    // Scripts that call it by its full path, or with another PATH, must not meet the host's.
    let shims = ["/usr/bin/systemctl", "/bin/systemctl"].map(fs::canonicalize);
    // Where /bin is a link to /usr/bin, both are one file.
    let shims: BTreeSet<PathBuf> = shims.into_iter().flatten().collect();
    for path in shims {
        bind(&Path::new(GUEST_BIN).join("systemctl"), &path)?;
    }
    Ok(())
}

/// Makes all that the guest sees of the host read-only, mount by mount.
///
/// The flags that a mount has are repeated: a user namespace may not drop them.
fn protect_host(stage: &Path, log: &mut Vec<String>) -> Outcome<()> {
    let table = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| format!("Cannot read /proc/self/mountinfo: {error}"))?;
    for entry in table.lines() {
        let mut fields = entry.split(' ').skip(4);
        let (Some(point), Some(options)) = (fields.next(), fields.next()) else {
            continue;
        };
        let point = PathBuf::from(unescape(point));
        if point.starts_with(stage) {
            continue;
        }
        let mut flags = MountFlags::BIND | MountFlags::RDONLY;
        for option in options.split(',') {
            flags |= match option {
                "nosuid" => MountFlags::NOSUID,
                "nodev" => MountFlags::NODEV,
                "noexec" => MountFlags::NOEXEC,
                "noatime" => MountFlags::NOATIME,
                "nodiratime" => MountFlags::NODIRATIME,
                "relatime" => MountFlags::RELATIME,
                _ => MountFlags::empty(),
            };
        }
        if let Err(error) = mount_remount(&point, flags, c"") {
            // Covered by another mount, or beyond this user's sight: unreachable from the guest too.
            if point == Path::new("/") {
                return Err(format!("Cannot make the host's files read-only: {error}"));
            }
            log.push(format!("not made read-only: {}: {error}", point.display()));
        }
    }
    Ok(())
}

/// mountinfo writes space, tab, newline and backslash as `\ooo`.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4);
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// A /dev with what programs expect and no disk of the host.
fn devices(dev: &Path, log: &mut Vec<String>) -> Outcome<()> {
    tmpfs(dev, "mode=755")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        // Device nodes cannot be made without root; the host's are bound instead.
        bind_file(&Path::new("/dev").join(name), &dev.join(name))?;
    }
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(link))
            .map_err(|error| format!("Cannot make /dev/{link}: {error}"))?;
    }
    make_directory(&dev.join("shm"))?;
    tmpfs(&dev.join("shm"), "mode=1777")?;
    let terminals = dev.join("pts");
    make_directory(&terminals)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    if let Err(error) = mount(
        "devpts",
        &terminals,
        "devpts",
        flags,
        Some(c"newinstance,ptmxmode=0666,mode=0620"),
    ) {
        log.push(format!("no pseudo terminals: {error}"));
    }
    Ok(())
}

/// /proc and /sys of the guest's own namespaces, and a boot id that changes with each boot.
fn kernel_views(log: &mut Vec<String>) -> Outcome<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if let Err(error) = mount("proc", "/proc", "proc", flags, None) {
        // Containers mask parts of /proc, and then no new one may be mounted. The host's still
        // answers for the network namespace of whoever asks, only its process list is the host's.
        log.push(format!("/proc is the host's: {error}"));
    } else if rustix::process::geteuid().is_root() && !in_user_namespace() {
        // Real root could change the host's kernel from here; the network's settings are the guest's own.
        let hidden = Path::new("/run/.net");
        make_directory(hidden)?;
        bind(Path::new("/proc/sys/net"), hidden)?;
        bind(Path::new("/proc/sys"), Path::new("/proc/sys"))?;
        let read_only = flags | MountFlags::BIND | MountFlags::RDONLY;
        mount_remount("/proc/sys", read_only, c"")
            .map_err(|error| format!("Cannot protect /proc/sys: {error}"))?;
        move_mount(hidden, Path::new("/proc/sys/net"))?;
        let _ = fs::remove_dir(hidden);
        if Path::new("/proc/sysrq-trigger").exists() {
            bind(Path::new("/dev/null"), Path::new("/proc/sysrq-trigger"))?;
        }
    }
    if let Err(error) = mount("sysfs", "/sys", "sysfs", flags | MountFlags::RDONLY, None) {
        log.push(format!("/sys is the host's: {error}"));
    }
    bind(
        Path::new("/run/lab/boot_id"),
        Path::new("/proc/sys/kernel/random/boot_id"),
    )
}

/// Whether this process's root is mapped to somebody else outside.
fn in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    fields != ["0", "0", "4294967295"]
}

fn systemctl_shim(path: &Path) -> Outcome<()> {
    write(
        path,
        &format!("#!/bin/sh\nexec {GUEST_PROGRAM} lab-agent systemctl \"$@\"\n"),
    )?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("Cannot make {} executable: {error}", path.display()))
}

/// Waits for every child, the adopted ones too, until the agent has ended.
fn reap_until(agent: &Child) -> Outcome<()> {
    let agent = i32::try_from(agent.id()).ok().and_then(Pid::from_raw);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == agent => {
                return match status.exit_status() {
                    Some(0) => Ok(()),
                    _ => Err(format!("the agent ended: {status:?}")),
                };
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("Cannot wait for the agent: {error}")),
        }
    }
}

/// Runs a boot command with nothing on its standard input: that belongs to the responder.
pub(super) fn detached(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null())
}

fn tmpfs(point: &Path, options: &str) -> Outcome<()> {
    let options = std::ffi::CString::new(options).map_err(|error| error.to_string())?;
    mount(
        "tmpfs",
        point,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(options.as_c_str()),
    )
    .map_err(|error| format!("Cannot mount a tmpfs on {}: {error}", point.display()))
}

fn bind(source: &Path, target: &Path) -> Outcome<()> {
    // Recursive: a user namespace may not take a mount apart from those locked below it.
    let bound = if source.is_dir() {
        mount_bind_recursive(source, target)
    } else {
        mount_bind(source, target)
    };
    bound.map_err(|error| {
        format!(
            "Cannot bind {} to {}: {error}",
            source.display(),
            target.display()
        )
    })
}

fn bind_file(source: &Path, target: &Path) -> Outcome<()> {
    write(target, "")?;
    bind(source, target)
}

fn move_mount(from: &Path, to: &Path) -> Outcome<()> {
    mount_move(from, to).map_err(|error| {
        format!(
            "Cannot move the mount {} to {}: {error}",
            from.display(),
            to.display()
        )
    })
}

fn make_directory(path: &Path) -> Outcome<()> {
    fs::create_dir_all(path).map_err(|error| format!("Cannot make {}: {error}", path.display()))
}

fn write(path: &Path, content: &str) -> Outcome<()> {
    fs::write(path, content).map_err(|error| format!("Cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn mount_points_with_spaces_are_read_back() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(unescape(r"/a\9"), r"/a\9");
    }
}
