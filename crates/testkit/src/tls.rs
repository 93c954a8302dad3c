//! A certificate authority for one server.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::account::Account;
use crate::error::{Error, Result};

/// The files of a server that speaks TLS, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the authority that signed the server's.
    pub ca: PathBuf,
    /// The server's certificate, for `localhost` and 127.0.0.1.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// The certificate of an authority that signed nothing.
    pub stranger: PathBuf,
}

/// Makes an authority and a certificate in a folder.
pub(crate) fn make(folder: &Path, account: Account) -> Result<TlsFiles> {
    let files = TlsFiles {
        ca: folder.join("ca.pem"),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        stranger: folder.join("stranger.pem"),
    };
    let (ca, stranger) = (authority("testkit")?, authority("stranger")?);
    let key = KeyPair::generate().map_err(Error::failed)?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .and_then(|params| params.signed_by(&key, &ca.issuer))
        .map_err(Error::failed)?;
    for (path, text) in [
        (&files.ca, &ca.pem),
        (&files.stranger, &stranger.pem),
        (&files.certificate, &certificate.pem()),
        (&files.key, &key.serialize_pem()),
    ] {
        write(path, text, account)?;
    }
    Ok(files)
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().map_err(Error::failed)?;
    let certificate = params.self_signed(&key).map_err(Error::failed)?;
    Ok(Authority {
        pem: certificate.pem(),
        issuer: Issuer::new(params, key),
    })
}

/// Servers refuse a key that others may read.
fn write(path: &Path, text: &str, account: Account) -> Result<()> {
    let what = path.display();
    fs::write(path, text).map_err(Error::while_doing(&what))?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(Error::while_doing(&what))?;
    account.own(path)
}
