//! The state in a blob, on a real Azurite: lease, renewal, lost leases, lost answers, and whatever keeps us out.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and says what it skips"
)]

mod azurite;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::HttpClient;
use azurite::{ACCOUNT, Azurite, CONTAINER, Pass, Stand, Way, sas};
use base64::Engine as _;
use plimsoll_core::state::State;
use plimsoll_store::{
    BlobAccess, BlobPlace, BlobStore, HeldState, LockInfo, SharedAccessSignature, StateStore,
    StoreError, Unlocked,
};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn info(who: &str) -> LockInfo {
    LockInfo {
        who: who.into(),
        at: "2026-01-02T03:04:05Z".into(),
        pid: std::process::id(),
        operation: "apply".into(),
        url: None,
    }
}

fn state(serial: u64) -> String {
    let mut state = State::new("web-prod", "lineage-1");
    state.serial = serial;
    state.text()
}

fn place(service: &str) -> BlobPlace {
    BlobPlace {
        account: ACCOUNT.into(),
        container: CONTAINER.into(),
        key: "prod/web 1.json".into(),
        service: service.parse().unwrap(),
    }
}

fn transport(ca: Option<&str>) -> Arc<dyn HttpClient> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(pem) = ca {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        builder = builder.tls_certs_only([certificate]);
    }
    Arc::new(builder.build().unwrap())
}

fn by_sas(service: &str, sas: &str) -> BlobStore {
    let access = BlobAccess::Sas(SharedAccessSignature::parse(sas).unwrap());
    BlobStore::new(&place(service), &access, transport(None)).unwrap()
}

fn store(azurite: &Azurite) -> BlobStore {
    by_sas(&azurite.service(), &sas("rwac"))
}

async fn save(held: &dyn HeldState, serial: u64) -> Result<(), String> {
    held.save(&state(serial)).await.map_err(|e| e.to_string())
}

async fn lock(store: &BlobStore, who: &str) -> Box<dyn HeldState> {
    store.lock(&info(who)).await.unwrap()
}

#[tokio::test]
async fn a_state_lives_in_a_blob() {
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let store = store(&azurite);
    assert_eq!(store.read().await.unwrap(), None);
    assert_eq!(store.unlock().await.unwrap(), Unlocked::WasNotLocked);

    let held = lock(&store, "ann").await;
    assert_eq!(held.read().await.unwrap(), None);
    assert_eq!(
        store.read().await.unwrap(),
        None,
        "an empty blob is no state"
    );
    save(&*held, 1).await.unwrap();
    assert_eq!(store.read().await.unwrap(), Some(state(1)));
    assert_eq!(store.read_backup().await.unwrap(), None);
    save(&*held, 2).await.unwrap();
    save(&*held, 3).await.unwrap();
    assert_eq!(store.read_backup().await.unwrap(), Some(state(2)));

    let error = store.lock(&info("bob")).await.unwrap_err();
    assert!(error.is_locked());
    let text = error.to_string();
    for words in [
        "ann (process",
        "runs apply since 2026-01-02T03:04:05Z",
        "60 s",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    held.release().await.unwrap();
    assert_eq!(store.holder().await.unwrap(), None);

    let held = lock(&store, "bob").await;
    assert_eq!(held.read().await.unwrap(), Some(state(3)));
    assert_eq!(store.holder().await.unwrap(), Some(info("bob")));
    save(&*held, 4).await.unwrap();
    assert_eq!(
        store.holder().await.unwrap(),
        Some(info("bob")),
        "a save keeps who"
    );
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_lost_lease_writes_nothing_more() {
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let store = store(&azurite);
    let first = lock(&store, "ann").await;
    save(&*first, 1).await.unwrap();

    assert_eq!(store.unlock().await.unwrap(), Unlocked::Broken);
    let refused = save(&*first, 2).await.unwrap_err();
    assert!(refused.contains("was lost"), "{refused}");

    let second = lock(&store, "bob").await;
    save(&*second, 7).await.unwrap();
    save(&*second, 8).await.unwrap();
    let refused = save(&*first, 2).await.unwrap_err();
    assert!(refused.contains("now bob"), "it says who has it: {refused}");
    assert_eq!(store.read().await.unwrap(), Some(state(8)));
    assert_eq!(store.read_backup().await.unwrap(), Some(state(7)));
    // That the first ends does not take the second's lock.
    first.release().await.unwrap();
    assert!(store.lock(&info("eve")).await.unwrap_err().is_locked());
    save(&*second, 9).await.unwrap();
}

/// The other process of the next test: takes the lease and waits to be killed.
#[tokio::test]
#[ignore = "run by a_dead_holders_lease_ends_by_itself"]
async fn hold_the_lease() {
    let Some(service) = std::env::var_os("PLIMSOLL_TEST_SERVICE") else {
        return;
    };
    let store = by_sas(&service.into_string().unwrap(), &sas("rwac")).with_lease(SHORT);
    let held = lock(&store, "ann").await;
    save(&*held, 1).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// The shortest that Azure gives.
const SHORT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_dead_holders_lease_ends_by_itself() {
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let store = store(&azurite).with_lease(SHORT);
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_the_lease", "--ignored"])
        .env("PLIMSOLL_TEST_SERVICE", azurite.service())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while store.read().await.unwrap().is_none() && began.elapsed() < SHORT {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    let killed = Instant::now();
    let error = store.lock(&info("bob")).await.unwrap_err().to_string();
    assert!(
        error.contains("ann") && error.contains("within 15 s"),
        "{error}"
    );
    let held = loop {
        match store.lock(&info("bob")).await {
            Ok(held) => break held,
            Err(error) => assert!(error.is_locked(), "{error}"),
        }
        assert!(
            killed.elapsed() < SHORT + Duration::from_secs(3),
            "locked for longer than the lease"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    assert_eq!(
        held.read().await.unwrap(),
        Some(state(1)),
        "nothing is lost"
    );
}

/// Never answers one renewal: the requests for the lease after the first, which takes it.
#[derive(Default)]
struct SwallowsARenewal(AtomicU32);

impl Stand for SwallowsARenewal {
    fn request(&self, bytes: &[u8]) -> Pass {
        let words = b"comp=lease";
        let asks = bytes.windows(words.len()).any(|w| w == words);
        // The first finds no blob, the second takes the lease, the third renews it.
        if asks && self.0.fetch_add(1, Ordering::SeqCst) == 2 {
            Pass::Held { delivered: true }
        } else {
            Pass::On
        }
    }

    fn answer(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_lease_is_renewed_while_it_is_held_even_if_one_renewal_hangs() {
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let swallows = Arc::new(SwallowsARenewal::default());
    let way = Way::to(&azurite, &swallows);
    let held_by = by_sas(&way.service(), &sas("rwac")).with_lease(SHORT);
    let held = lock(&held_by, "ann").await;
    tokio::time::sleep(SHORT + Duration::from_secs(3)).await;
    assert!(swallows.0.load(Ordering::SeqCst) > 3, "it went on renewing");
    let error = store(&azurite).lock(&info("bob")).await.unwrap_err();
    assert!(error.is_locked());
    save(&*held, 1).await.unwrap();
}

/// Loses the answer to one request.
#[derive(Default)]
struct LosesOne(AtomicBool);

impl Stand for LosesOne {
    fn request(&self, _: &[u8]) -> Pass {
        Pass::On
    }

    fn answer(&self) -> bool {
        !self.0.swap(false, Ordering::SeqCst)
    }
}

impl LosesOne {
    fn next(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Each answer comes this much later.
struct Slow(Duration);

impl Stand for Slow {
    fn request(&self, _: &[u8]) -> Pass {
        Pass::On
    }

    fn answer(&self) -> bool {
        std::thread::sleep(self.0);
        true
    }
}

#[tokio::test]
async fn an_answer_that_gets_lost_is_not_taken_for_somebody_elses_write() {
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let loses = Arc::new(LosesOne::default());
    let way = Way::to(&azurite, &loses);
    let store = by_sas(&way.service(), &sas("rwac"));
    loses.next();
    let held = lock(&store, "ann").await;
    loses.next();
    save(&*held, 1).await.unwrap();
    save(&*held, 2).await.unwrap();
    assert_eq!(store.read().await.unwrap(), Some(state(2)));
    loses.next();
    held.release().await.unwrap();
    lock(&store, "bob").await;
}

#[tokio::test]
async fn a_slow_account_is_waited_for() {
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let way = Way::to(&azurite, &Arc::new(Slow(Duration::from_millis(300))));
    let store = by_sas(&way.service(), &sas("rwac"));
    let held = lock(&store, "ann").await;
    save(&*held, 1).await.unwrap();
    held.release().await.unwrap();
    assert_eq!(store.read().await.unwrap(), Some(state(1)));
}

#[tokio::test]
async fn whatever_keeps_us_out_says_what_opens() {
    let Some(azurite) = Azurite::start(&[]) else {
        return;
    };
    let (no_container, name) = (store(&azurite), "az storage container create");
    for error in [
        no_container.lock(&info("ann")).await.unwrap_err(),
        no_container.read().await.unwrap_err(),
    ] {
        assert!(error.to_string().contains(name), "{error}");
    }

    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let held = lock(&store(&azurite), "ann").await;
    save(&*held, 1).await.unwrap();
    let reader = by_sas(&azurite.service(), &sas("r"));
    assert_eq!(
        reader.read().await.unwrap(),
        Some(state(1)),
        "enough to plan"
    );
    let error = reader.lock(&info("bob")).await.unwrap_err().to_string();
    assert!(
        error.contains("403") && error.contains("--permissions rcw"),
        "{error}"
    );

    let wrong = sas("rwac").replace("sig=", "sig=AAAA");
    let error = by_sas(&azurite.service(), &wrong).read().await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("403"), "{error}");
    assert!(
        error.contains("SAS token") && !error.contains("sig="),
        "{error}"
    );

    let began = Instant::now();
    let error = by_sas("http://127.0.0.1:9/devstoreaccount1", &sas("r"))
        .read()
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    assert!(!error.contains("sig="), "{error}");
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
}

/// A token as Entra ID would give, but for its signature, which Azurite does not check.
#[derive(Debug)]
struct Entra;

#[async_trait]
impl TokenCredential for Entra {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://storage.azure.com/.default"]);
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.{}",
            encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
            encode(
                "{\"aud\":\"https://storage.azure.com\",\"iss\":\"https://sts.windows.net/00000000-0000-0000-0000-000000000000/\",\
                 \"nbf\":1000000000,\"iat\":1000000000,\"exp\":4000000000}"
            ),
            encode("unsigned")
        );
        let hour = azure_core::time::OffsetDateTime::now_utc() + Duration::from_secs(3600);
        Ok(AccessToken::new(Secret::new(token), hour))
    }
}

#[tokio::test]
async fn entra_id_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let Some(azurite) = Azurite::start(&[
        "--oauth",
        "basic",
        "--cert",
        certificate.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ]) else {
        return;
    };
    let access = BlobAccess::Token(Arc::new(Entra));
    let store = BlobStore::new(
        &place(&azurite.service()),
        &access,
        transport(Some(&made.cert.pem())),
    )
    .unwrap();
    let error = store.read().await.unwrap_err().to_string();
    assert!(
        error.contains("--auth-mode login"),
        "signed in, and no container: {error}"
    );

    let scope = ["https://storage.azure.com/.default"];
    let token = Entra.get_token(&scope, None).await.unwrap();
    let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let made_container = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap()
        .put(format!(
            "{}/{CONTAINER}?restype=container",
            azurite.service()
        ))
        .bearer_auth(token.token.secret())
        .header("x-ms-version", "2021-08-06")
        .header("content-length", "0")
        .send()
        .await
        .unwrap();
    assert_eq!(made_container.status(), 201);

    // Reading, writing and the lease, all with the token.
    assert_eq!(store.read().await.unwrap(), None);
    let held = lock(&store, "ann").await;
    save(&*held, 1).await.unwrap();
    save(&*held, 2).await.unwrap();
    assert_eq!(store.read_backup().await.unwrap(), Some(state(1)));
    let error = store.lock(&info("bob")).await.unwrap_err();
    assert!(
        error.is_locked() && error.to_string().contains("ann"),
        "{error}"
    );
    held.release().await.unwrap();
    let held = lock(&store, "bob").await;
    assert_eq!(held.read().await.unwrap(), Some(state(2)));
    store.unlock().await.unwrap();
    save(&*held, 3).await.unwrap_err();
    assert_eq!(store.read().await.unwrap(), Some(state(2)));

    let plain = BlobStore::new(&place("http://127.0.0.1:9"), &access, transport(None));
    let error = StoreError::from(plain.unwrap_err()).to_string();
    assert!(error.contains("is not https"), "{error}");
}
