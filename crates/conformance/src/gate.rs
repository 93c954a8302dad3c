//! A gate in front of a server, for a [`Store`](crate::Store) whose server cannot be stopped.
//!
//! The driver connects to the gate, which passes everything on; what the gate does looks to the
//! driver as if the server did it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How much of each direction of a connection is held while the gate is frozen.
const BUFFER: usize = 16 * 1024;

/// How many connections wait to be accepted.
const BACKLOG: u32 = 1_024;

/// How long a server may work on what had reached it before its connections were cut.
const ENDING: Duration = Duration::from_secs(30);

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// At a host's port.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a Unix socket of this machine.
    Unix(PathBuf),
}

/// A proxy on a port of 127.0.0.1 that can stop passing things on.
///
/// Dropping it closes the port and all connections.
pub struct Gate {
    behind: Arc<Behind>,
    address: SocketAddr,
    state: watch::Sender<State>,
    /// How many connections the server has not ended yet.
    at_server: Arc<watch::Sender<usize>>,
    door: Mutex<Door>,
}

/// What the connections watch.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    frozen: bool,
    /// Goes up whenever all connections end; each ends that began under another one.
    generation: u64,
}

enum Door {
    Open(JoinHandle<()>),
    /// The port stays ours: the system gives it to no one else, and refuses who connects.
    Closed(Option<TcpSocket>),
}

impl Gate {
    /// Opens a gate to this server, on a free port.
    ///
    /// # Errors
    ///
    /// `Unavailable` if there is no port. The server is not asked.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`start`](Self::start) does.
    pub fn open(behind: Behind) -> Result<Self> {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let gate = Self {
            behind: Arc::new(behind),
            address: socket.local_addr().map_err(failed)?,
            state: watch::Sender::new(State::default()),
            at_server: Arc::default(),
            door: Mutex::new(Door::Closed(Some(socket))),
        };
        gate.start()?;
        Ok(gate)
    }

    /// Where drivers connect to: the same as long as the gate lives.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops passing anything on, in both directions. Connections stay and new ones are accepted,
    /// as by a stopped process.
    pub fn freeze(&self) {
        self.state.send_modify(|state| state.frozen = true);
    }

    /// Goes on after [`freeze`](Self::freeze), with all that waited meanwhile.
    pub fn thaw(&self) {
        self.state.send_modify(|state| state.frozen = false);
    }

    /// Ends all connections at once, both to the driver and to the server, in the middle of
    /// whatever they carry. New ones are accepted.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Waits until the server has ended all connections too, after [`stop`](Self::stop): what had
    /// reached it before is done then, and nothing more comes.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it still holds one after half a minute.
    ///
    /// # Cancel safety
    ///
    /// Only waits.
    pub async fn ended(&self) -> Result<()> {
        let mut at_server = self.at_server.subscribe();
        let none_left = at_server.wait_for(|count| *count == 0);
        match tokio::time::timeout(ENDING, none_left).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                "the server does not end connections that were cut",
            )),
        }
    }

    /// Ends all connections and refuses new ones, as a server that is gone.
    ///
    /// # Errors
    ///
    /// `Unavailable` if another program takes the port in that instant.
    pub async fn stop(&self) -> Result<()> {
        let door = std::mem::replace(&mut *self.door(), Door::Closed(None));
        let closed = match door {
            Door::Open(listening) => {
                listening.abort();
                // It has been told to end: there is nothing to learn from how it did.
                let _ = listening.await;
                Some(bind(self.address)?)
            }
            Door::Closed(socket) => socket,
        };
        *self.door() = Door::Closed(closed);
        self.cut();
        Ok(())
    }

    /// Accepts connections again after [`stop`](Self::stop), at the same address.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the port cannot be listened at.
    pub fn start(&self) -> Result<()> {
        let mut door = self.door();
        let Door::Closed(socket) = &mut *door else {
            return Ok(());
        };
        let socket = match socket.take() {
            Some(socket) => socket,
            None => bind(self.address)?,
        };
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        let way = Way {
            behind: Arc::clone(&self.behind),
            state: self.state.subscribe(),
            at_server: Arc::clone(&self.at_server),
        };
        let accepting = accept(listener, way);
        *door = Door::Open(tokio::spawn(accepting));
        Ok(())
    }

    fn door(&self) -> std::sync::MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Door::Open(listening) = &*self.door() {
            listening.abort();
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("behind", &self.behind)
            .field("address", &self.address)
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4().map_err(failed)?;
    // Connections that have ended keep their port for a while.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    Ok(socket)
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the gate's port").with_source(error)
}

/// What a connection needs to know of its gate.
#[derive(Clone)]
struct Way {
    behind: Arc<Behind>,
    state: watch::Receiver<State>,
    at_server: Arc<watch::Sender<usize>>,
}

async fn accept(listener: TcpListener, mut way: Way) {
    // An error of one connection is not one of the gate; without a listener there is none left.
    while let Ok((client, _)) = listener.accept().await {
        // Here and not in the task, which may begin only after all have been told to end.
        let begun = way.state.borrow_and_update().generation;
        tokio::spawn(connection(client, way.clone(), begun));
    }
}

/// One connection, until it ends by itself or is ended.
async fn connection(client: TcpStream, mut way: Way, begun: u64) {
    // Small requests and answers: none waits for more to go with it.
    let _ = client.set_nodelay(true);
    let mut state = way.state.clone();
    let cut = async {
        // An error: the gate is gone.
        let _ = state.wait_for(|state| state.generation != begun).await;
    };
    tokio::pin!(cut);
    let server = tokio::select! {
        server = enter(&mut way) => server,
        () = &mut cut => return reset(client),
    };
    let Some(server) = server else { return };
    way.at_server.send_modify(|count| *count += 1);
    let _at_server = AtServer(Arc::clone(&way.at_server));
    match server {
        Server::Tcp(server) => {
            let (from, to) = server.into_split();
            both(client, from, to, way.state, cut).await;
        }
        Server::Unix(server) => {
            let (from, to) = server.into_split();
            both(client, from, to, way.state, cut).await;
        }
    }
}

/// Ends the client's side so that it looks like no polite end, and what was sent does not arrive.
fn reset(client: TcpStream) {
    let _ = client.set_zero_linger();
}

enum Server {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Counts a connection to the server until it is dropped.
struct AtServer(Arc<watch::Sender<usize>>);

impl Drop for AtServer {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Connects to the server, unless the gate is frozen; none if it cannot be reached.
async fn enter(way: &mut Way) -> Option<Server> {
    way.state.wait_for(|state| !state.frozen).await.ok()?;
    match &*way.behind {
        Behind::Tcp { host, port } => {
            let server = TcpStream::connect((host.as_str(), *port)).await.ok()?;
            let _ = server.set_nodelay(true);
            Some(Server::Tcp(server))
        }
        Behind::Unix(path) => UnixStream::connect(path).await.ok().map(Server::Unix),
    }
}

/// Passes both directions on, until both have ended or all is cut.
async fn both(
    mut client: TcpStream,
    mut from_server: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    state: watch::Receiver<State>,
    cut: impl Future<Output = ()>,
) {
    let (from_client, to_client) = client.split();
    let is_cut = tokio::select! {
        // Who ends a connection by an error ends both directions of it.
        _ = async {
            tokio::try_join!(
                one_way(from_client, &mut to_server, state.clone()),
                one_way(&mut from_server, to_client, state),
            )
        } => false,
        () = cut => true,
    };
    if is_cut {
        reset(client);
        // The server is at work still on what had reached it, and ends when that is done.
        let _ = to_server.shutdown().await;
        let mut rest = vec![0; BUFFER];
        while from_server.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

/// Passes one direction on until its end. What was read before a freeze waits for the thaw.
async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if state.wait_for(|state| !state.frozen).await.is_err() {
            return Ok(());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
