//! Encryption of the connections.

mod plain;

use std::fs;
use std::future;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokenkeep_backend::{Failure, Outcome, Tls, TlsMode, is_this_machine};
use tokenkeep_core::ErrorKind;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::unverified::Unverified;
use crate::options::Host;

/// A healthy server's answer seldom takes as long.
const MOST_QUIET: Duration = Duration::from_secs(1);

/// What is said of a server that never answers.
pub(super) const NO_ANSWER: &str = "no TLS answer in time: is it a port without TLS?";

/// How connections are encrypted; certificates are read when the first one is.
#[derive(Debug)]
pub(super) struct Encryption {
    tls: Tls,
    settings: OnceCell<Arc<ClientConfig>>,
}

impl Encryption {
    pub(super) fn new(tls: Tls) -> Self {
        Self {
            tls,
            settings: OnceCell::new(),
        }
    }

    /// Whether connections to this host are encrypted.
    pub(super) fn is_for(&self, host: &str) -> bool {
        match self.tls.mode {
            TlsMode::Disable => false,
            TlsMode::Default => !is_this_machine(host),
            TlsMode::Require | TlsMode::VerifyFull => true,
        }
    }

    /// Encrypts a connection to this host; one that is quiet for so long is asked whether it knows TLS.
    pub(super) async fn over(
        &self,
        stream: TcpStream,
        host: &Host,
        quiet: Duration,
    ) -> Outcome<TlsStream<TcpStream>> {
        let settings = self.settings.get_or_try_init(|| self.read()).await?;
        let name = ServerName::try_from(host.name.clone())
            .map_err(|_| unusable("the host is no name that a certificate could have"))?;
        let encrypting = TlsConnector::from(Arc::clone(settings)).connect(name, stream);
        let refuting = refuted(host, quiet.min(MOST_QUIET));
        match select(pin!(encrypting), pin!(refuting)).await {
            Either::Left((encrypted, _)) => encrypted.map_err(|error| not_encrypted(&error)),
            Either::Right((failure, _)) => Err(failure),
        }
    }

    /// Reads the files on a thread that may wait for them.
    async fn read(&self) -> Outcome<Arc<ClientConfig>> {
        let tls = self.tls.clone();
        tokio::task::spawn_blocking(move || settings(&tls))
            .await
            .unwrap_or_else(|_| Err(unusable("the program is ending")))
            .map(Arc::new)
    }
}

/// Ends where the host, after so long, shows that it answers without TLS, and half as long later.
async fn refuted(host: &Host, quiet: Duration) -> Failure {
    sleep(quiet).await;
    if !plain::answers(host).await {
        return future::pending().await;
    }
    // The handshake may merely be slow, since much else is done there or here.
    sleep(quiet / 2).await;
    unusable("it answers plain Redis and no TLS")
}

fn not_encrypted(error: &io::Error) -> Failure {
    // What the two sides do not agree on stays so; a connection that breaks may not.
    let kind = match is_refused(error) {
        true => ErrorKind::Config,
        false => ErrorKind::Unavailable,
    };
    let hint = match is_nonsense(error) {
        true => ": is it a port without TLS?",
        false => "",
    };
    Failure::refused(kind, format!("no encryption: {error}{hint}"))
}

/// Whether what came was no TLS.
fn is_nonsense(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidMessage(_)))
}

/// Whether the other side, or ours, does not agree to how the connection is encrypted.
pub(super) fn is_refused(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

fn settings(tls: &Tls) -> Outcome<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match tls.mode {
        TlsMode::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified::new(provider))),
        _ => builder.with_root_certificates(roots(tls.ca.as_deref())?),
    };
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(&content(key)?)
                .map_err(|error| unusable(format_args!("{}: {error}", key.display())))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key)
                .map_err(unusable)
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// The system's authorities, and those of the file.
fn roots(ca: Option<&Path>) -> Outcome<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is trusted as little as one that is not there.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca {
        for certificate in certificates(file)? {
            roots
                .add(certificate)
                .map_err(|error| unusable(format_args!("{}: {error}", file.display())))?;
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Outcome<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content(file)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unusable(format_args!(
            "{} holds no certificate",
            file.display()
        ))),
        Err(error) => Err(unusable(format_args!("{}: {error}", file.display()))),
    }
}

fn content(file: &Path) -> Outcome<Vec<u8>> {
    fs::read(file).map_err(|error| unusable(format_args!("{}: {error}", file.display())))
}

fn unusable(problem: impl std::fmt::Display) -> Failure {
    Failure::refused(ErrorKind::Config, format!("tls: {problem}"))
}
