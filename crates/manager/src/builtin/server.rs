//! What a URL says of a server, whichever server it is.

mod files;
pub(super) mod tls;

use std::path::Path;

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind, Result, StoreUrl, UrlOptions};

/// Reads a URL where waiting for the files that it names holds up nobody.
pub(super) async fn read<T, F>(url: &StoreUrl, read_now: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&StoreUrl) -> Result<T> + Send + 'static,
{
    let url = url.clone();
    spawn_blocking(move || read_now(&url))
        .await
        .unwrap_or_else(|error| {
            let problem = "reading the store URL was cut short";
            Err(Error::new(ErrorKind::Internal, problem).with_source(error))
        })
}

/// Refuses options that look right and are not to be had.
pub(super) fn refuse_slips(url: &StoreUrl) -> Result<()> {
    if url.options().text("password").is_some() {
        return Err(url.fault(
            "has an option `password`: a password stands before the host, or in the file that \
             `password_file` names",
        ));
    }
    let tls_mode = url.options().text("sslmode");
    if tls_mode.is_some_and(|mode| *mode == "verify-ca") {
        return Err(url.fault(
            "has sslmode=verify-ca: the system's authorities are trusted too, so without the host's \
             name any public certificate would do; use verify-full, with an address that the \
             certificate names",
        ));
    }
    Ok(())
}

/// The password of the URL, or the first line of the file that this option names.
pub(super) fn take_password(
    given: &mut UrlOptions,
    option: &str,
    in_url: Option<Zeroizing<String>>,
) -> Result<Option<Zeroizing<String>>> {
    let password = match (given.text(option), in_url) {
        (Some(_), Some(_)) => {
            return Err(given.fault(format_args!("has a password and a {option}")));
        }
        (Some(file), None) => {
            let fault = |problem| given.fault(format_args!("{option} {}: {problem}", *file));
            Some(files::password(Path::new(file.as_str())).map_err(fault)?)
        }
        (None, in_url) => in_url,
    };
    // Servers refuse such a one as a wrong one, or not at all: it is a slip of the pen.
    let is_slip = |password: &Zeroizing<String>| password.chars().any(char::is_control);
    if password.as_ref().is_some_and(is_slip) {
        return Err(given.fault("has a password with a control character, such as a tab, in it"));
    }
    Ok(password)
}
