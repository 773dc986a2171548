//! A guest's own directories, kept between boots; /etc is written fresh, not copied.
//!
//! Only what makes the host's programs run is taken from the host's /etc: the dynamic linker's
//! cache, the alternatives, names of protocols and the like. No account, key or secret is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Tools;
use crate::LabError;
use crate::layout::{GuestName, Layout, create_private_directory};

/// Refreshed at every boot, because the host's programs may have been updated.
const FROM_HOST: [&str; 14] = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "os-release",
    "debian_version",
    "redhat-release",
    "protocols",
    "services",
    "iproute2",
    "login.defs",
    "localtime",
    "inputrc",
    "terminfo",
];

/// Makes or refreshes a guest's directories.
pub(crate) fn prepare_guest_directory(
    layout: &Layout,
    name: &GuestName,
    tools: &Tools,
) -> Result<(), LabError> {
    let guest = layout.guest(name);
    let etc = layout.guest_etc(name);
    // Finished last, so that an interrupted first start begins again.
    let made = guest.join("made");
    for folder in ["etc", "var-lib", "root", "stage"] {
        create_private_directory(&guest.join(folder))?;
    }
    for folder in ["etc", "var-lib"] {
        // Services that run as other users of the guest must be able to read them; the lab's own
        // directory above keeps other users of the host out.
        set_mode(&guest.join(folder), 0o755)?;
    }
    for entry in FROM_HOST {
        let from = Path::new("/etc").join(entry);
        // What this system does not have, or hides from this user, its programs do without.
        let _ = copy(&from, &etc.join(entry));
    }
    if made.exists() {
        return Ok(());
    }
    for (path, content) in files(name.as_str(), tools) {
        write(&etc.join(path), &content)?;
    }
    let wants = etc.join("systemd/system/sysinit.target.wants");
    fs::create_dir_all(&wants).map_err(LabError::file("create the directory", &wants))?;
    link(
        "/etc/systemd/system/nftables.service",
        &wants.join("nftables.service"),
    )?;
    link("/proc/self/mounts", &etc.join("mtab"))?;
    write(&made, "")
}

/// The files of a fresh guest.
fn files(name: &str, tools: &Tools) -> Vec<(&'static str, String)> {
    let machine = uuid::Uuid::new_v4().simple();
    let nft = tools.nft.display();
    vec![
        (
            "passwd",
            "root:x:0:0:root:/root:/bin/sh\n\
             daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
             www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
             sshd:x:74:74:sshd:/run/sshd:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
                .to_owned(),
        ),
        (
            "group",
            "root:x:0:\ndaemon:x:1:\nadm:x:4:\ntty:x:5:\nwww-data:x:33:\nshadow:x:42:\nsshd:x:74:\nnogroup:x:65534:\n"
                .to_owned(),
        ),
        // Locked accounts: there is no password to guess.
        ("shadow", "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\nnobody:*:19000:0:99999:7:::\n".to_owned()),
        ("shells", "/bin/sh\n/bin/bash\n".to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n".to_owned()),
        ("hostname", format!("{name}\n")),
        ("hosts", format!("127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost\n")),
        ("resolv.conf", "# The lab has no name service.\n".to_owned()),
        ("host.conf", "multi on\n".to_owned()),
        ("machine-id", format!("{machine}\n")),
        ("fstab", String::new()),
        ("environment", String::new()),
        ("profile", "PATH=/run/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\n".to_owned()),
        ("nftables.conf", firewall(&nft.to_string())),
        (
            "systemd/system/nftables.service",
            format!(
                "[Unit]\nDescription=nftables\nDefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target\n\n\
                 [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={nft} -f /etc/nftables.conf\n\n\
                 [Install]\nWantedBy=sysinit.target\n"
            ),
        ),
    ]
}

/// Drops what nobody has opened, so that an apply which opens nothing carries nothing.
fn firewall(nft: &str) -> String {
    format!(
        "#!{nft} -f\n\
         flush ruleset\n\n\
         table inet filter {{\n\
         \tchain input {{\n\
         \t\ttype filter hook input priority filter; policy drop;\n\
         \t\tct state established,related accept\n\
         \t\tiif \"lo\" accept\n\
         \t\ttcp dport 22 accept\n\
         \t\tmeta l4proto {{ icmp, ipv6-icmp }} accept\n\
         \t}}\n\
         }}\n"
    )
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    // What a link like os-release points to may itself be in the host's /etc: follow it.
    let metadata = fs::metadata(from)?;
    // The guest's root may have put a link here; following it would write to the host.
    if to.is_symlink() {
        fs::remove_file(to)?;
    }
    if metadata.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_symlink() {
                let points_to = fs::read_link(entry.path())?;
                let _ = fs::remove_file(&target);
                symlink(points_to, target)?;
            } else if entry.path() != from {
                let _ = copy(&entry.path(), &target);
            }
        }
        return Ok(());
    }
    if metadata.is_file() {
        let _ = fs::remove_file(to);
        fs::write(to, fs::read(from)?)?;
    }
    Ok(())
}

fn write(path: &Path, content: &str) -> Result<(), LabError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(LabError::file("create the directory", folder))?;
    }
    // A file of an earlier, interrupted start may be a link by now: replaced, never followed.
    let _ = fs::remove_file(path);
    fs::write(path, content).map_err(LabError::file("write", path))
}

fn link(target: &str, path: &Path) -> Result<(), LabError> {
    let _ = fs::remove_file(path);
    symlink(target, path).map_err(LabError::file("link", path))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(LabError::file("change the mode of", path))
}
