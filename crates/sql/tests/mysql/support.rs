//! Servers, options and tokens of the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenkeep_core::{
    Clock, ManualClock, SystemClock, Timestamp, TokenFilter, TokenId, TokenRecord,
};
use tokenkeep_sql::{ServerOptions, SqlDriver, SqlOptions, Tls, mysql};
use tokenkeep_testkit::{Server, Settings, require_or_tell, shared};

/// The server of all tests, or none where MariaDB is not installed, which is told.
pub(crate) fn shared_server() -> Option<&'static Server> {
    require_or_tell(shared::mariadb())
}

/// A server of this test's own.
pub(crate) fn own_server(settings: &Settings) -> Option<Server> {
    require_or_tell(Server::mariadb(settings))
}

/// Calls may take for longer than a disk stands still under other programs' writes; a test of what is
/// held up for too long says for how long that is.
pub(crate) fn options(server: &Server, namespace: &str) -> ServerOptions {
    ServerOptions {
        host: server.host().to_owned(),
        port: server.port(),
        user: server.user().to_owned(),
        password: Some(server.password().to_owned().into()),
        database: server.database().to_owned(),
        namespace: namespace.to_owned(),
        tls: Tls::default(),
        statement_timeout: None,
        common: SqlOptions {
            timeout: Duration::from_secs(60),
            ..SqlOptions::default()
        },
    }
}

pub(crate) async fn open(options: &ServerOptions, clock: Arc<dyn Clock>) -> SqlDriver {
    mysql::open(options, clock).await.unwrap()
}

pub(crate) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

pub(crate) fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at("2030-01-01T00:00:00Z")))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn id(number: u64) -> TokenId {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    TokenId::from_bytes(bytes)
}

/// A token for this user that is valid for long.
pub(crate) fn record(number: u64, user: &str) -> TokenRecord {
    let audit = format!("audit-{number}");
    let (from, until) = (at("2029-01-01T00:00:00Z"), at("2090-01-01T00:00:00Z"));
    TokenRecord::new(id(number), &audit, user, from, until).unwrap()
}

/// A token that no other call of this has given.
pub(crate) fn fresh_record(user: &str) -> TokenRecord {
    static COUNT: AtomicU64 = AtomicU64::new(1_000_000);
    record(COUNT.fetch_add(1, Ordering::Relaxed), user)
}

pub(crate) fn of_user(user: &str) -> TokenFilter {
    TokenFilter::new().with_user(user).unwrap()
}
