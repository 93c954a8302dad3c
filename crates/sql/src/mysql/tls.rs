//! Whether and how a connection is encrypted.

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use tokenkeep_backend::{TlsMode, is_this_machine};

use crate::options::ServerOptions;

/// Sets what the connection shall be like.
pub(super) fn apply(connect: MySqlConnectOptions, options: &ServerOptions) -> MySqlConnectOptions {
    let tls = &options.tls;
    let connect = connect.ssl_mode(mode(options));
    let connect = match &tls.ca {
        Some(ca) => connect.ssl_ca(ca),
        None => connect,
    };
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => connect.ssl_client_cert(certificate).ssl_client_key(key),
        _ => connect,
    }
}

fn mode(options: &ServerOptions) -> MySqlSslMode {
    match options.tls.mode {
        TlsMode::Default if is_this_machine(&options.host) => MySqlSslMode::Disabled,
        TlsMode::Default | TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Require => MySqlSslMode::Required,
    }
}
