//! Whether and how the connections of a URL are encrypted.

use std::env;
use std::path::{Path, PathBuf};

use tokenkeep_backend::{Tls, TlsMode, is_this_machine};

use super::files::{self, CERTIFICATES, KEYS};
use crate::{Result, UrlOptions, config_error};

/// Stands for the system's authorities where it is set.
const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Takes the options about TLS for these hosts, and looks at the files that they name. Where they say
/// nothing, it is as usual for the scheme.
pub(in crate::builtin) fn take(
    given: &mut UrlOptions,
    hosts: &[&str],
    usual: TlsMode,
) -> Result<Tls> {
    let modes = [
        ("disable", TlsMode::Disable),
        ("require", TlsMode::Require),
        ("verify-full", TlsMode::VerifyFull),
    ];
    let mode = given.choice("sslmode", &modes)?;
    let mut path = |name: &str| given.text(name).map(|path| PathBuf::from(path.as_str()));
    let (ca, certificate, key) = (path("ssl-ca"), path("ssl-cert"), path("ssl-key"));
    if certificate.is_some() != key.is_some() {
        return Err(given.fault("has one of ssl-cert and ssl-key, which go together"));
    }
    let is_given = ca.is_some() || certificate.is_some();
    let mode = match mode {
        // Whoever names a certificate means it to be used, on this machine too.
        None if is_given => TlsMode::VerifyFull,
        None => usual,
        Some(TlsMode::Disable) if is_given => {
            return Err(given.fault("has certificates, which sslmode=disable does not use"));
        }
        Some(TlsMode::Require) if ca.is_some() => {
            return Err(given.fault("has an ssl-ca, which sslmode=require does not look at"));
        }
        Some(mode) => mode,
    };
    for (name, file, labels) in [
        ("ssl-ca", &ca, CERTIFICATES),
        ("ssl-cert", &certificate, CERTIFICATES),
        ("ssl-key", &key, KEYS),
    ] {
        let checked = file.as_deref().map_or(Ok(()), |file| check(file, labels));
        checked.map_err(|problem| given.fault(format_args!("{name} {problem}")))?;
    }
    // With authorities of one's own the system's are not needed.
    if ca.is_none() && hosts.iter().any(|host| is_verified(mode, host)) {
        check_authorities(env::var_os(AUTHORITIES).as_deref().map(Path::new))?;
    }
    Ok(Tls {
        mode,
        ca,
        certificate,
        key,
    })
}

fn check(file: &Path, labels: &[&str]) -> Result<(), String> {
    files::check_pem(file, labels).map_err(|problem| format!("{}: {problem}", file.display()))
}

/// Without them every certificate would be refused, which sounds like a fault of the server's.
pub(in crate::builtin) fn check_authorities(file: Option<&Path>) -> Result<()> {
    let checked = file.map_or(Ok(()), |file| check(file, CERTIFICATES));
    checked
        .map_err(|problem| config_error(format!("environment variable {AUTHORITIES}: {problem}")))
}

/// Tells whether the server's certificate is verified.
fn is_verified(mode: TlsMode, host: &str) -> bool {
    match mode {
        TlsMode::VerifyFull => true,
        TlsMode::Default => !is_this_machine(host),
        TlsMode::Disable | TlsMode::Require => false,
    }
}
