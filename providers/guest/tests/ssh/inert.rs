use crate::guest;
use plimsoll_core::model::guest::Connection;
use plimsoll_guest::transport::{Ssh, SshError, Transport, TransportError};
use proptest::prelude::*;

/// What a person may write, or a variable may hold.
fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "$(touch injected)",
            "`touch injected`",
            "'",
            "\"",
            "\\",
            "\n",
            "\r",
            ";touch injected;",
            "|touch injected",
            "&",
            ">injected",
            "<(touch injected)",
            "${IFS}",
            "{",
            "}",
            "(",
            ")",
            "#",
            "*",
            "?",
            "[x]",
            "~",
            "!",
            "\0",
            " ",
            "\t",
            "é",
            "\u{2028}",
            "\u{85}",
            "\u{a0}",
            "-oProxyCommand=touch injected",
            "%h",
            "%",
            "@",
            "=",
            ",",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9.:-]{1,6}",
    ];
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The real client hands both to a shell, as many a user's configuration makes it do.
    #[test]
    fn hosts_and_users_are_refused_by_their_form_or_inert(host in name(), user in name()) {
        let directory = tempfile::tempdir().unwrap();
        let (place, config) = (directory.path().join("cwd"), directory.path().join("config"));
        std::fs::create_dir(&place).unwrap();
        let shell = format!("Host *\n  ProxyCommand cd {}; echo %h %r %n >/dev/null; exit 1\n", place.display());
        std::fs::write(&config, shell).unwrap();
        let guest = guest(Connection::Ssh {
            host: host.clone(),
            user: Some(user.clone()),
            port: None,
            identity_file: None,
            config_file: Some(config.display().to_string()),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(Ssh::default().run(&guest, "true\n"));
        prop_assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "{:?} {:?}", host, user);
        let by_form = matches!(&told, Err(TransportError::Ssh(SshError::HostName(_) | SshError::UserName(_))));
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ".:".contains(c));
        if plain(&host) && plain(&user) {
            prop_assert!(!by_form, "{:?}", told);
        }
        if format!("{host}{user}").contains("injected") {
            prop_assert!(by_form, "{:?}", told);
        }
    }
}
