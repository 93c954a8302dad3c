//! Keeps the environment out of connections.

use std::env;

use tokenkeep_core::{Error, ErrorKind, Result};

use super::tls;
use crate::options::ServerOptions;

/// Refuses a process whose environment sets what sqlx would take from it and offers no way to leave
/// out; all else that it reads there is set by us.
pub(super) fn check(options: &ServerOptions) -> Result<()> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let takes_certificate = tls::is_encrypted(options) && options.tls.certificate.is_none();
    check_variables(is_set, takes_certificate)
}

fn check_variables(is_set: impl Fn(&str) -> bool, takes_certificate: bool) -> Result<()> {
    let variables = [
        ("PGOPTIONS", true),
        ("PGSSLCERT", takes_certificate),
        ("PGSSLKEY", takes_certificate),
    ];
    match variables
        .iter()
        .find(|(name, is_taken)| *is_taken && is_set(name))
    {
        None => Ok(()),
        Some((name, _)) => {
            let problem =
                format!("the environment sets {name}, which would change connections: unset it");
            Err(Error::new(ErrorKind::Config, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(set: &str, takes_certificate: bool) -> bool {
        match check_variables(|name| name == set, takes_certificate) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(error.message().contains(set), "{error}");
                true
            }
        }
    }

    #[test]
    fn what_would_be_taken_from_the_environment_is_refused() {
        assert!(refused("PGOPTIONS", false));
        assert!(refused("PGSSLCERT", true));
        assert!(refused("PGSSLKEY", true));
    }

    #[test]
    fn what_is_not_taken_is_none_of_our_business() {
        assert!(!refused("PGSSLCERT", false));
        assert!(!refused("PGSSLKEY", false));
        assert!(!refused("PGPASSWORD", true));
    }
}
