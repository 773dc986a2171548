use crate::support::{EXAMPLE, Folder, is_root, namespaces};
use std::path::Path;
use std::process::Command;

const SSHD: &str = "HostKey /etc/ssh/lab_host_key
AuthorizedKeysFile /etc/ssh/lab_authorized_keys
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
";

/// No `--lab`: the same client as for Azure signs in with a client secret over TLS, and reaches the guests with the
/// system's ssh. Only the addresses of Azure and of the guests lead into the lab.
#[test]
fn the_ordinary_path_with_sign_in_and_real_openssh() {
    if !namespaces() {
        return;
    }
    if !is_root() {
        println!(
            "skipped: sshd in a lab guest needs more than one user id, so this test needs root"
        );
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.lab(&["plan"]).exits(0);
    let status = folder.lab(&["lab", "status", "--json"]).exits(0).json();
    let text = |name: &str| {
        status[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} in {status}"))
            .to_owned()
    };
    let (endpoint, authority) = (text("endpoint"), text("ca_file"));
    let (tenant, client, secret) = (text("tenant"), text("client_id"), text("client_secret"));
    let azure = [
        ("ARM_ENVIRONMENT", endpoint.as_str()),
        ("PLIMSOLL_CA_FILE", authority.as_str()),
        ("ARM_TENANT_ID", tenant.as_str()),
        ("ARM_CLIENT_ID", client.as_str()),
        ("ARM_CLIENT_SECRET", secret.as_str()),
    ];
    let key = folder.path().join("key");
    keygen(&key);
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let config = folder.path().join("ssh_config");
    let mut client_configuration = String::new();
    for guest in ["vm1", "vm2"] {
        sshd(&folder, guest, &public);
        client_configuration.push_str(&format!(
            "Host {guest}.internal\n  User root\n  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n  \
             ProxyCommand {program} --lab -C {folder} lab exec {guest} -- /usr/sbin/sshd -i -f /etc/ssh/lab_sshd_config\n",
            key = key.display(),
            known = folder.path().join("known_hosts").display(),
            program = env!("CARGO_BIN_EXE_plimsoll"),
            folder = folder.path().display(),
        ));
    }
    std::fs::write(&config, client_configuration).unwrap();
    let over_ssh = EXAMPLE.replace(
        "user = \"azureuser\"",
        &format!(
            "user = \"root\"\n    config_file = {:?}",
            config.display().to_string()
        ),
    );
    folder.write(&over_ssh);

    // A host key that nobody vouched for is refused, with the way out.
    let refused = folder.real(&["plan"], &azure).seen();
    assert!(refused.contains("host key"), "{refused}");

    let mut known = String::new();
    for guest in ["vm1", "vm2"] {
        let host = folder
            .lab(&[
                "lab",
                "exec",
                guest,
                "--",
                "cat",
                "/etc/ssh/lab_host_key.pub",
            ])
            .exits(0)
            .stdout;
        known.push_str(&format!("{guest}.internal {host}"));
    }
    std::fs::write(folder.path().join("known_hosts"), known).unwrap();
    let plan = folder.real(&["plan"], &azure).exits(0).stdout;
    assert!(
        plan.contains("known after apply") || plan.contains("address of green"),
        "addresses are not known yet:\n{plan}"
    );
    folder.real(&["apply", "--auto-approve"], &azure).exits(0);
    folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
    folder.serves("65.52.0.2:80", &["65.52.0.2:80"]);
    folder
        .real(&["plan", "--detailed-exitcode"], &azure)
        .exits(0);
    folder.real(&["drift"], &azure).exits(0);
    let state = std::fs::read_to_string(folder.path().join("floating-ip.plimsoll.json")).unwrap();
    assert!(!state.contains(&secret), "no secret in the state");
    folder.real(&["destroy", "--auto-approve"], &azure).exits(0);
    let left = folder
        .lab(&[
            "lab",
            "exec",
            "vm1",
            "--",
            "sh",
            "-c",
            "ip -o addr show dev lo; ls -d /var/lib/plimsoll",
        ])
        .seen();
    assert!(!left.contains("65.52.0."), "{left}");
}

fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status();
    assert!(status.is_ok_and(|s| s.success()), "ssh-keygen makes a key");
}

/// A guest's sshd, made of files; ssh starts it through the lab, one process for each connection.
fn sshd(folder: &Folder, guest: &str, public: &str) {
    let script = "mkdir -p /etc/ssh /run/sshd && printf '%s' \"$1\" > /etc/ssh/lab_sshd_config && printf '%s' \"$2\" > /etc/ssh/lab_authorized_keys \
                  && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_host_key && { grep -q ^sshd: /etc/passwd || echo 'sshd:x:105:65534::/run/sshd:/usr/sbin/nologin' >> /etc/passwd; }";
    folder
        .lab(&[
            "lab", "exec", guest, "--", "sh", "-c", script, "sh", SSHD, public,
        ])
        .exits(0);
}
