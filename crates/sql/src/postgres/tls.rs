//! Whether and how a connection is encrypted.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokenkeep_backend::{TlsMode, is_this_machine};

use crate::options::ServerOptions;

/// Sets everything that the environment could have set.
pub(super) fn apply(connect: PgConnectOptions, options: &ServerOptions) -> PgConnectOptions {
    let tls = &options.tls;
    let connect = connect.ssl_mode(mode(options));
    let connect = match &tls.ca {
        Some(ca) => connect.ssl_root_cert(ca),
        None => connect.ssl_root_cert_from_pem(Vec::new()),
    };
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => connect.ssl_client_cert(certificate).ssl_client_key(key),
        _ => connect,
    }
}

/// Whether connections are encrypted at all.
pub(super) fn is_encrypted(options: &ServerOptions) -> bool {
    !matches!(mode(options), PgSslMode::Disable)
}

fn mode(options: &ServerOptions) -> PgSslMode {
    match options.tls.mode {
        TlsMode::Default if is_this_machine(&options.host) => PgSslMode::Disable,
        TlsMode::Default | TlsMode::VerifyFull => PgSslMode::VerifyFull,
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Require => PgSslMode::Require,
    }
}
