use crate::support::{Folder, namespaces};

/// Both names answer with their own certificates, on the same port of the same VM, without SNI.
#[test]
fn each_site_answers_with_its_own_certificate() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("tls-endpoints");
    folder.lab(&["lab", "up"]).exits(0);
    for site in ["shop", "pay"] {
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={site}.example"), "-keyout"])
            .arg(folder.path().join(format!("{site}.key")))
            .arg("-out")
            .arg(folder.path().join(format!("{site}.pem")))
            .output();
        assert!(made.is_ok_and(|o| o.status.success()), "openssl");
    }
    folder.apply();
    let configuration = std::fs::read_to_string(folder.path().join("lab/nginx.conf")).unwrap();
    for guest in ["proxy1", "proxy2"] {
        folder
            .lab(&["lab", "silence", guest, "443", "8080"])
            .exits(0);
        let mut script = String::new();
        for (name, text) in [
            ("nginx.conf", configuration.clone()),
            ("shop.pem", read(&folder, "shop.pem")),
            ("shop.key", read(&folder, "shop.key")),
            ("pay.pem", read(&folder, "pay.pem")),
            ("pay.key", read(&folder, "pay.key")),
        ] {
            script += &format!("cat >/root/{name} <<'END'\n{text}END\n");
        }
        script += "mkdir -p /var/lib/nginx /var/log/nginx; nginx -c /root/nginx.conf";
        folder.inside(guest, &script);
    }
    for (site, address) in [("shop", "65.52.4.1"), ("pay", "65.52.4.2")] {
        folder.lab(&["trace", &format!("{address}:443")]).exits(0);
        // Enough connections that both VMs are asked.
        for _ in 0..8 {
            let seen = folder
                .as_client(&format!("curl -sk -m 5 https://{address}/"))
                .exits(0);
            assert_eq!(seen.stdout, format!("{site}\n"));
        }
        let certificate = folder
            .as_client(&format!(
                "openssl s_client -connect {address}:443 -noservername </dev/null 2>/dev/null | openssl x509 -noout -subject"
            ))
            .exits(0);
        assert!(
            certificate.stdout.contains(&format!("{site}.example")),
            "{}",
            certificate.stdout
        );
    }
    let served = folder.inside("proxy1", "ss -Hltn");
    for address in ["65.52.4.1:443", "65.52.4.2:443"] {
        assert!(served.contains(address), "{served}");
    }
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}
