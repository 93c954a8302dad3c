//! Keeps the environment out of connections.

use std::env;

use tokenkeep_core::{Error, ErrorKind, Result};

use crate::options::ServerOptions;

/// Refuses a process whose environment sets what sqlx would take from it and offers no way to leave
/// out; all else that it reads there is set by us.
pub(super) fn check(options: &ServerOptions) -> Result<()> {
    let has_certificate = options.tls.certificate.is_some();
    let variables = [
        ("PGOPTIONS", false),
        ("PGSSLCERT", has_certificate),
        ("PGSSLKEY", has_certificate),
    ];
    for (name, is_replaced) in variables {
        if !is_replaced && env::var_os(name).is_some_and(|value| !value.is_empty()) {
            let problem =
                format!("the environment sets {name}, which would change connections: unset it");
            return Err(Error::new(ErrorKind::Config, problem));
        }
    }
    Ok(())
}
