//! How a connection to a server is made.

use std::fmt;
use std::io;
use std::time::Duration;

use redis::{Cmd, Pipeline};
use tokenkeep_backend::{Failure, Outcome, Tls};
use tokenkeep_core::ErrorKind;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::connection::Connection;
use super::replies;
use super::tls::Encryption;
use crate::options::{Address, Host};

/// Makes connections to servers of one kind.
pub(super) struct Dialer {
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    database: u32,
    encryption: Encryption,
    bound: Duration,
}

impl Dialer {
    pub(super) fn new(
        user: Option<&str>,
        password: Option<&Zeroizing<String>>,
        database: u32,
        tls: &Tls,
        bound: Duration,
    ) -> Self {
        Self {
            user: user.map(str::to_owned),
            password: password.cloned(),
            database,
            encryption: Encryption::new(tls.clone()),
            bound,
        }
    }

    /// Connects and says who we are. Nothing of any call was sent when it fails.
    pub(super) async fn dial(&self, address: &Address) -> Outcome<Connection> {
        let outcome = match timeout(self.bound, self.greeted(address)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unavailable("no connection in time")),
        };
        outcome.map_err(|failure| failure.at(&address.to_string()))
    }

    async fn greeted(&self, address: &Address) -> Outcome<Connection> {
        let connection = match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(no_connection)?;
                Connection::over(stream).await?
            }
            Address::Tcp(host) => self.over_tcp(host).await?,
        };
        self.greet(&connection).await?;
        Ok(connection)
    }

    async fn over_tcp(&self, host: &Host) -> Outcome<Connection> {
        let stream = TcpStream::connect((host.name.as_str(), host.port))
            .await
            .map_err(no_connection)?;
        stream.set_nodelay(true).map_err(no_connection)?;
        if !self.encryption.is_for(&host.name) {
            return Connection::over(stream).await;
        }
        let stream = self.encryption.over(stream, &host.name).await?;
        Connection::over(stream).await
    }

    /// Gives the account and chooses the database, in one round trip.
    async fn greet(&self, connection: &Connection) -> Outcome<()> {
        let mut greeting = Pipeline::new();
        let password = self.password.as_ref().map(|password| password.as_str());
        if self.user.is_some() || password.is_some() {
            let mut auth = Cmd::new();
            auth.arg("AUTH").arg(self.user.as_deref());
            // An account without a password takes any.
            auth.arg(password.unwrap_or_default());
            greeting.add_command(auth);
        }
        if self.database != 0 {
            greeting.cmd("SELECT").arg(self.database);
        }
        if greeting.is_empty() {
            return Ok(());
        }
        let answers = connection.send_all(&greeting, 0).await;
        let answers = answers.map_err(|failure| unavailable(&failure.message))?;
        match answers.into_iter().find_map(Result::err) {
            Some(error) => Err(refused(&replies::failure(&error))),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

/// A greeting that no attempt of the same kind would better, but where the server says so.
fn refused(failure: &Failure) -> Failure {
    use tokenkeep_backend::Cause::{Again, Lost, Refused};
    match failure.cause {
        Refused(ErrorKind::Internal) => Failure::refused(ErrorKind::Config, &*failure.message),
        Refused(_) | Again => failure.clone(),
        Lost => unavailable(&failure.message),
    }
}

fn no_connection(error: io::Error) -> Failure {
    unavailable(&format!("no connection: {error}"))
}

fn unavailable(problem: &str) -> Failure {
    Failure::refused(ErrorKind::Unavailable, problem)
}
