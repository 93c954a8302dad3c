//! The suite's own connections to servers and sentinels.

use std::fs;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo,
    RedisConnectionInfo, TlsCertificates,
};
use tokenkeep::{ErrorKind, Result};

use crate::commands::conformance::server::target::{Encryption, Target};
use crate::commands::conformance::server::{fault, unusable};

/// How long a server has for one answer.
const BOUND: Duration = Duration::from_secs(30);

/// Connects to the server at this place, or at the target's Unix socket.
pub(super) async fn server(
    target: &Target,
    (host, port): (&str, u16),
) -> Result<MultiplexedConnection> {
    let mut account = RedisConnectionInfo::default().set_db(database(target));
    if target.servers.user.is_some() {
        account = account.set_username(target.user());
    }
    if target.servers.user.is_some() || target.servers.password.is_some() {
        account = account.set_password(target.password());
    }
    let address = match &target.socket {
        Some(path) => ConnectionAddr::Unix(path.into()),
        None => address(target, host, port),
    };
    connect(target, address, account).await
}

/// Connects to a sentinel.
pub(super) async fn sentinel(
    target: &Target,
    host: &str,
    port: u16,
) -> Result<MultiplexedConnection> {
    let [user, password] = &target.sentinel;
    let mut account = RedisConnectionInfo::default();
    if let Some(user) = user {
        account = account.set_username(user);
    }
    if let Some(password) = password {
        account = account.set_password(password);
    }
    connect(target, address(target, host, port), account).await
}

/// The number of the database, which stands at different places.
fn database(target: &Target) -> i64 {
    let path = target.servers.path.as_slice();
    let text = match (target.scheme(), path) {
        ("redis+unix", _) => target.database.as_str(),
        ("redis+sentinel", [_, database]) | (_, [database]) => database,
        _ => "",
    };
    // The backend has taken the URL, so what is no number is nothing.
    text.parse().unwrap_or(0)
}

fn address(target: &Target, host: &str, port: u16) -> ConnectionAddr {
    let host = host.to_owned();
    match target.encryption {
        Encryption::None => ConnectionAddr::Tcp(host, port),
        encryption => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: encryption == Encryption::Require,
            tls_params: None,
        },
    }
}

async fn connect(
    target: &Target,
    address: ConnectionAddr,
    account: RedisConnectionInfo,
) -> Result<MultiplexedConnection> {
    let is_encrypted = matches!(address, ConnectionAddr::TcpTls { .. });
    let info = address.into_connection_info().map_err(unusable)?;
    let info = info.set_redis_settings(account);
    let client = if is_encrypted {
        Client::build_with_tls(info, certificates(target)?)
    } else {
        Client::open(info)
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(BOUND))
        .set_response_timeout(Some(BOUND));
    let client = client.map_err(unusable)?;
    let connection = client.get_multiplexed_async_connection_with_config(&config);
    connection.await.map_err(unusable)
}

fn certificates(target: &Target) -> Result<TlsCertificates> {
    let read = |file: &String| {
        let error = |error| fault(ErrorKind::Config, "cannot read a file about TLS", error);
        fs::read(file).map_err(error)
    };
    let [ca, certificate, key] = &target.files;
    let client_tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientTlsConfig {
            client_cert: read(certificate)?,
            client_key: read(key)?,
        }),
        _ => None,
    };
    Ok(TlsCertificates {
        client_tls,
        root_cert: ca.as_ref().map(read).transpose()?,
    })
}
