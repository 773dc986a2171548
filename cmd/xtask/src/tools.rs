//! Programs that tasks call, and what to install where one is missing.

use std::path::PathBuf;
use std::process::Command;

/// A program that tests run, the Debian package that has it, and what for.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) purpose: &'static str,
}

pub(crate) const FOR_TESTS: &[Tool] = &[
    Tool {
        program: "ip",
        package: "iproute2",
        purpose: "lab guests and the packet fabric",
    },
    Tool {
        program: "unshare",
        package: "util-linux",
        purpose: "lab guests are namespaces",
    },
    Tool {
        program: "nsenter",
        package: "util-linux",
        purpose: "lab guests are namespaces",
    },
    Tool {
        program: "setpriv",
        package: "util-linux",
        purpose: "the lab as an ordinary user",
    },
    Tool {
        program: "nft",
        package: "nftables",
        purpose: "the guests' firewall and the packet fabric",
    },
    Tool {
        program: "iptables",
        package: "iptables",
        purpose: "guests with an iptables firewall",
    },
    Tool {
        program: "ufw",
        package: "ufw",
        purpose: "guests with a ufw firewall",
    },
    Tool {
        program: "ssh",
        package: "openssh-client",
        purpose: "the ssh transport",
    },
    Tool {
        program: "sshd",
        package: "openssh-server",
        purpose: "the ssh transport's other end",
    },
    Tool {
        program: "firewall-cmd",
        package: "firewalld",
        purpose: "guests with a firewalld firewall",
    },
    Tool {
        program: "dbus-daemon",
        package: "dbus",
        purpose: "firewalld speaks over it",
    },
    Tool {
        program: "busybox",
        package: "busybox",
        purpose: "guests whose shell is busybox",
    },
    Tool {
        program: "dash",
        package: "dash",
        purpose: "guests whose shell is dash",
    },
    Tool {
        program: "fish",
        package: "fish",
        purpose: "guests whose login shell is fish",
    },
    Tool {
        program: "zsh",
        package: "zsh",
        purpose: "guests whose login shell is zsh",
    },
    Tool {
        program: "nginx",
        package: "nginx-light",
        purpose: "real TLS in the example of several TLS endpoints",
    },
    Tool {
        program: "curl",
        package: "curl",
        purpose: "real clients of the examples",
    },
    Tool {
        program: "openssl",
        package: "openssl",
        purpose: "certificates for the sign-in tests",
    },
    Tool {
        program: "systemd-nspawn",
        package: "systemd-container",
        purpose: "guests that really boot",
    },
    Tool {
        program: "udevadm",
        package: "udev",
        purpose: "guests that really boot",
    },
    Tool {
        program: "netplan",
        package: "netplan.io",
        purpose: "guests whose network is netplan's",
    },
    Tool {
        program: "sudo",
        package: "sudo",
        purpose: "guests whose user is not root",
    },
    Tool {
        program: "curl",
        package: "curl",
        purpose: "the pipelines' scripts speak to Azure DevOps with it",
    },
    Tool {
        program: "jq",
        package: "jq",
        purpose: "the pipelines' scripts read JSON with it",
    },
    Tool {
        program: "chromium",
        package: "chromium",
        purpose: "reports are looked at in a browser",
    },
    Tool {
        program: "node",
        package: "nodejs",
        purpose: "drives the browser, and runs Azurite in place of Azure Storage",
    },
    Tool {
        program: "npm",
        package: "npm",
        purpose: "installs what runs on Node.js",
    },
    Tool {
        program: "shellcheck",
        package: "shellcheck",
        purpose: "the scripts that run in guests",
    },
];

/// Whether a program is there; Debian keeps some in /usr/sbin, which is not in everyone's PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Installs what is missing, where that is possible, and says what and why.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), String> {
    let missing: Vec<&Tool> = tools.iter().filter(|t| find(t.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|t| t.package).collect();
    packages.sort_unstable();
    packages.dedup();
    for tool in &missing {
        println!(
            "missing: {} (package {}), for {}",
            tool.program, tool.package, tool.purpose
        );
    }
    let by_hand = format!(
        "install them and run this again: sudo apt-get install {}",
        packages.join(" ")
    );
    if !is_root() || find("apt-get").is_none() {
        return Err(format!(
            "the tests need programs that are not here; {by_hand}"
        ));
    }
    println!("installing {}", packages.join(" "));
    let run = |arguments: &[&str]| {
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments)
            .status()
            .is_ok_and(|status| status.success())
    };
    let mut install = vec!["install", "--yes", "--no-install-recommends", "--quiet"];
    install.extend(&packages);
    if run(&install) || (run(&["update", "--quiet"]) && run(&install)) {
        Ok(())
    } else {
        Err(format!("apt-get could not install them; {by_hand}"))
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    cargo_with(arguments, &[])
}

/// With these variables in its environment.
pub(crate) fn cargo_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let said: String = variables
        .iter()
        .map(|(name, value)| format!("{name}={value} "))
        .collect();
    println!("$ {said}cargo {}", arguments.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    match Command::new(cargo)
        .args(arguments)
        .envs(variables.iter().copied())
        .status()
    {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {} failed ({status})", arguments.join(" "))),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}
