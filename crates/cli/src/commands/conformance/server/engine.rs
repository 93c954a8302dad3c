//! Which kind of server it is, and what the suite does there that a driver does not.

use tokenkeep::{Error, ErrorKind, Result, StoreUrl};

use super::target::Target;
use super::{mysql, postgres, redis};
use crate::session::is_redis;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Mysql,
    Postgres,
    Redis,
}

impl Engine {
    pub(super) fn of(url: &StoreUrl) -> Self {
        match url.scheme() {
            "postgres" | "postgresql" => Self::Postgres,
            _ if is_redis(url) => Self::Redis,
            _ => Self::Mysql,
        }
    }

    /// Everything that is stored in the namespace.
    pub(super) async fn contents(self, target: &Target) -> Result<Vec<u8>> {
        match self {
            Self::Mysql => mysql::contents(target).await,
            Self::Postgres => postgres::contents(target).await,
            Self::Redis => redis::contents(target).await,
        }
    }

    /// Lets the namespace refuse every write as a server does that takes none, or no more.
    pub(super) async fn refuse_writes(self, target: &Target, on: bool) -> Result<()> {
        match self {
            Self::Mysql => mysql::refuse_writes(target, on).await,
            Self::Postgres => postgres::refuse_writes(target, on).await,
            Self::Redis => Err(Error::new(
                ErrorKind::Internal,
                "the cases of a server that is read only were not declined",
            )),
        }
    }
}
