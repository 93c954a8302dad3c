//! The life of a token through the manager, on every backend that is built in.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokenkeep::{
    Clock, ErrorKind, Expiry, IssueRequest, ManagerOptions, ManualClock, Registry, Result,
    RotateOutcome, RotateRequest, TokenDriverExt, TokenFilter, TokenManager, TokenSecret,
};
use tokenkeep_testkit::{Server, Settings, require_or_tell, shared};

/// A new store of each kind, by URL, and what lives as long as the test. A scheme whose server is not
/// installed is left out, which is told.
fn urls() -> Vec<(String, Option<TempDir>)> {
    let in_folder = |scheme: &str| {
        let folder = TempDir::new().unwrap();
        let url = format!("{scheme}:{}", folder.path().join("store").display());
        (url, Some(folder))
    };
    let mut urls = vec![
        ("memory:".to_owned(), None),
        in_folder("sled"),
        in_folder("sqlite"),
    ];
    let of_servers = of_servers().into_iter();
    urls.extend(of_servers.filter_map(|(_, url)| Some((require_or_tell(url)?, None))));
    urls
}

/// A new namespace on a server for each scheme that leads to one.
fn of_servers() -> Vec<(&'static str, tokenkeep_testkit::Result<String>)> {
    let mut urls = Vec::new();
    let mut add = |scheme, url: tokenkeep_testkit::Result<String>| {
        let with_scheme = |url: String| {
            let (_, rest) = url.split_once(':').unwrap();
            format!("{scheme}:{rest}")
        };
        urls.push((scheme, url.map(with_scheme)));
    };
    for scheme in ["postgres", "postgresql"] {
        add(scheme, shared::postgres().map(|server| server.url(&name())));
    }
    for scheme in ["mysql", "mariadb"] {
        add(scheme, shared::mariadb().map(|server| server.url(&name())));
    }
    add("redis", shared::redis().map(|server| server.url(&name())));
    add("valkey", shared::valkey().map(|server| server.url(&name())));
    add("redis+unix", shared::redis().map(of_socket));
    for scheme in ["rediss", "valkeys"] {
        add(scheme, encrypted().map(of_encrypted));
    }
    add(
        "redis+sentinel",
        shared::sentinel().map(|set| set.url(&name())),
    );
    add(
        "redis+cluster",
        shared::cluster().map(|all| all.url(&name())),
    );
    urls
}

/// The name of a new namespace.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("life_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A new namespace by the way of the server's socket.
fn of_socket(server: &Server) -> String {
    let url = server.url(&name());
    url.replace(&server.address(), &server.socket().display().to_string())
}

/// A Redis server that speaks TLS alone.
fn encrypted() -> tokenkeep_testkit::Result<&'static Server> {
    static SERVER: OnceLock<tokenkeep_testkit::Result<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::redis(&Settings::new().with_tls()));
    server.as_ref().map_err(Clone::clone)
}

/// A new namespace on a server that speaks TLS, by the name that its certificate has.
fn of_encrypted(server: &Server) -> String {
    let url = server.url(&name()).replace("@127.0.0.1:", "@localhost:");
    format!("{url}&ssl-ca={}", server.tls().unwrap().ca.display())
}

async fn opened(url: &str, clock: &Arc<ManualClock>) -> TokenManager {
    let manager = open(url, clock).await;
    manager.unwrap_or_else(|error| panic!("{url}: {error}"))
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> Result<TokenManager> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let driver = Registry::builtin()
        .open(&url.parse()?, Arc::clone(&clock))
        .await?;
    TokenManager::new(driver, clock, ManagerOptions::default())
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2030-01-01T00:00:00Z".parse().unwrap()))
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn every_scheme_is_covered() {
    let registry = Registry::builtin();
    let urls = urls();
    let of_servers = of_servers().into_iter();
    let missing: Vec<_> = of_servers
        .filter_map(|(scheme, url)| url.err().map(|_| scheme))
        .collect();
    for scheme in registry.schemes() {
        let covered = urls
            .iter()
            .any(|(url, _)| url.starts_with(&format!("{scheme}:")));
        assert!(
            covered || missing.contains(&scheme),
            "no store of scheme {scheme} is tested"
        );
    }
}

#[tokio::test]
async fn a_token_is_issued_used_rotated_revoked_and_flushed() {
    for (url, _folder) in urls() {
        let clock = clock();
        let manager = opened(&url, &clock).await;

        let request = IssueRequest::new("ada")
            .with_tenant("engines")
            .with_data("{}");
        let issued = manager.issue(request).await.unwrap();
        assert_eq!(
            manager.validate(&issued.secret).await.unwrap(),
            issued.record,
            "{url}"
        );

        let rotated = manager
            .rotate(&issued.secret, RotateRequest::new())
            .await
            .unwrap();
        let RotateOutcome::Rotated(successor) = rotated else {
            panic!("{url}: {rotated:?}")
        };
        assert_eq!(
            successor.record.audit_chain_id, issued.record.audit_id,
            "{url}"
        );
        assert_eq!(
            kind(manager.validate(&issued.secret).await),
            Some(ErrorKind::NotFound)
        );

        let again = manager
            .rotate(&issued.secret, RotateRequest::new())
            .await
            .unwrap();
        let RotateOutcome::AlreadyUsed {
            successor: next, ..
        } = again
        else {
            panic!("{url}")
        };
        assert_eq!(next, Some(successor.record.id), "{url}");

        let revoked = manager
            .delete_tokens(Some("ada"), None, None, None)
            .await
            .unwrap();
        assert_eq!(revoked, [successor.record.id], "{url}");
        assert_eq!(manager.list_revoked().await.unwrap().len(), 2, "{url}");

        clock.advance(Duration::from_secs(3_600));
        assert!(manager.list_revoked().await.unwrap().is_empty(), "{url}");
        let batch = NonZeroU32::new(10).unwrap();
        assert_eq!(
            manager.driver().flush_all_expired(batch).await.unwrap(),
            2,
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_trust_outranks_the_user() {
    for (url, _folder) in urls() {
        let manager = opened(&url, &clock()).await;
        let of_trust = IssueRequest::new("trustee").with_trust("trust");
        let of_trust = manager.issue(of_trust).await.unwrap();
        let of_user = manager.issue(IssueRequest::new("trustor")).await.unwrap();

        let revoked = manager
            .delete_tokens(Some("trustor"), None, Some("trust"), None)
            .await;
        assert_eq!(revoked.unwrap(), [of_trust.record.id], "{url}");
        manager.validate(&of_user.secret).await.unwrap();
    }
}

#[tokio::test]
async fn a_callers_own_id_is_kept_once() {
    for (url, _folder) in urls() {
        let manager = opened(&url, &clock()).await;
        let own = TokenSecret::new("5a1ab0ce-3f2f-4a55-8d0d-6b7a0d5b9d1e".to_owned());
        let request = IssueRequest::new("ada").with_expiry(Expiry::In(Duration::from_secs(60)));
        manager.create_token(&own, request.clone()).await.unwrap();
        let again = manager.create_token(&own, request).await;
        assert_eq!(kind(again), Some(ErrorKind::AlreadyExists), "{url}");

        let filter = TokenFilter::new().with_user("ada").unwrap();
        assert_eq!(
            manager.driver().list_all(&filter).await.unwrap().len(),
            1,
            "{url}"
        );
    }
}
