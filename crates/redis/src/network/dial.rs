//! How a connection to a server is made.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline};
use tokenkeep_backend::{Failure, Outcome, Tls};
use tokenkeep_core::ErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::connection::Connection;
use super::doubt::Doubt;
use super::greeting;
use super::silence;
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

    /// Connects and says who we are; that the connection ends raises this doubt. Nothing of any call was
    /// sent when it fails.
    pub(super) async fn dial(&self, address: &Address, doubt: &Arc<Doubt>) -> Outcome<Connection> {
        let outcome = match timeout(self.bound, self.greeted(address, doubt)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unavailable("no connection in time")),
        };
        outcome.map_err(|failure| failure.at(&address.to_string()))
    }

    async fn greeted(&self, address: &Address, doubt: &Arc<Doubt>) -> Outcome<Connection> {
        match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(no_connection)?;
                self.over(stream, doubt).await
            }
            Address::Tcp(host) => self.over_tcp(host, doubt).await,
        }
    }

    async fn over_tcp(&self, host: &Host, doubt: &Arc<Doubt>) -> Outcome<Connection> {
        let stream = TcpStream::connect((host.name.as_str(), host.port))
            .await
            .map_err(no_connection)?;
        stream.set_nodelay(true).map_err(no_connection)?;
        silence::bound(&stream).map_err(no_connection)?;
        if !self.encryption.is_for(&host.name) {
            return self.over(stream, doubt).await;
        }
        let stream = self.encryption.over(stream, &host.name).await?;
        self.over(stream, doubt).await
    }

    async fn over<S>(&self, mut stream: S, doubt: &Arc<Doubt>) -> Outcome<Connection>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let greeted = greeting::exchange(&mut stream, &self.greeting()).await;
        greeted.map_err(|failure| refused(&failure))?;
        Connection::over(stream, doubt).await
    }

    /// Gives the account and chooses the database, or else asks whether anybody is there.
    fn greeting(&self) -> Pipeline {
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
            greeting.cmd("PING");
        }
        greeting
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
