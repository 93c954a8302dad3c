//! How a connection to a server is made.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline};
use tokenkeep_backend::{ENDLESS, Failure, Outcome, Tls};
use tokenkeep_core::ErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::connection::Connection;
use super::doubt::Doubt;
use super::greeting::{self, Unheard};
use super::silence;
use super::tls::{self, Encryption};
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
        let server = address.to_string();
        let attempt = Attempt {
            dialer: self,
            server: &server,
            doubt,
            deadline: Instant::now() + self.bound.min(ENDLESS),
        };
        let outcome = attempt.connection(address).await;
        outcome.map_err(|failure| failure.at(&server))
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

/// One attempt to make a connection, which says how far it came where it is out of time.
struct Attempt<'a> {
    dialer: &'a Dialer,
    server: &'a str,
    doubt: &'a Arc<Doubt>,
    deadline: Instant,
}

impl Attempt<'_> {
    async fn connection(&self, address: &Address) -> Outcome<Connection> {
        match address {
            Address::Unix(path) => {
                let stream = self.connected(UnixStream::connect(path)).await?;
                self.greeted(stream, Unheard::Told).await
            }
            Address::Tcp(host) => self.over_tcp(host).await,
        }
    }

    async fn over_tcp(&self, host: &Host) -> Outcome<Connection> {
        let place = (host.name.as_str(), host.port);
        let stream = self.connected(TcpStream::connect(place)).await?;
        stream.set_nodelay(true).map_err(no_connection)?;
        silence::bound(&stream).map_err(no_connection)?;
        let encryption = &self.dialer.encryption;
        if !encryption.is_for(&host.name) {
            return self.greeted(stream, Unheard::MayWantTls).await;
        }
        let quiet = self.dialer.bound / 2;
        let encrypted = encryption.over(stream, host, quiet);
        let stream = self.in_time(encrypted, tls::NO_ANSWER).await?;
        self.greeted(stream, Unheard::Told).await
    }

    async fn connected<S>(&self, connecting: impl Future<Output = io::Result<S>>) -> Outcome<S> {
        let connecting = async { connecting.await.map_err(no_connection) };
        self.in_time(connecting, "no connection in time").await
    }

    async fn greeted<S>(&self, mut stream: S, unheard: Unheard) -> Outcome<Connection>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let greeting = self.dialer.greeting();
        let greeted = async {
            let exchange = greeting::exchange(&mut stream, &greeting, unheard);
            exchange.await.map_err(|failure| refused(&failure))?;
            Connection::over(stream, self.server, self.doubt).await
        };
        let problem = "it takes connections and answers nothing";
        self.in_time(greeted, problem).await
    }

    async fn in_time<T>(
        &self,
        step: impl Future<Output = Outcome<T>>,
        problem: &str,
    ) -> Outcome<T> {
        let ended = timeout_at(self.deadline, step).await;
        ended.unwrap_or_else(|_| Err(unavailable(problem)))
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
