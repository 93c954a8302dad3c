//! A gate in front of a server, for a [`Store`](crate::Store) whose server cannot be stopped.
//!
//! The driver connects to the gate, which passes everything on; what the gate does looks to the
//! driver as if the server did it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokenkeep_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How much of each direction of a connection is held while the gate is frozen.
const BUFFER: usize = 16 * 1024;

/// How many connections wait to be accepted.
const BACKLOG: u32 = 1_024;

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
        let accepting = accept(listener, Arc::clone(&self.behind), self.state.subscribe());
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

async fn accept(listener: TcpListener, behind: Arc<Behind>, mut state: watch::Receiver<State>) {
    // An error of one connection is not one of the gate; without a listener there is none left.
    while let Ok((client, _)) = listener.accept().await {
        // Here and not in the task, which may begin only after all have been told to end.
        let begun = state.borrow_and_update().generation;
        tokio::spawn(connection(
            client,
            Arc::clone(&behind),
            state.clone(),
            begun,
        ));
    }
}

/// One connection, until it ends by itself or is ended.
async fn connection(
    mut client: TcpStream,
    behind: Arc<Behind>,
    mut state: watch::Receiver<State>,
    begun: u64,
) {
    let passing = pass(&mut client, &behind, state.clone());
    let cut = tokio::select! {
        () = passing => false,
        // An error: the gate is gone.
        _ = state.wait_for(|state| state.generation != begun) => true,
    };
    if cut {
        // Without it what was sent already would still arrive, and the end look like a polite one.
        let _ = client.set_zero_linger();
    }
}

/// Connects to the server and passes both directions on, until both have ended.
async fn pass(client: &mut TcpStream, behind: &Behind, mut state: watch::Receiver<State>) {
    if state.wait_for(|state| !state.frozen).await.is_err() {
        return;
    }
    // Small requests and answers: none waits for more to go with it.
    let _ = client.set_nodelay(true);
    match behind {
        Behind::Tcp { host, port } => {
            if let Ok(server) = TcpStream::connect((host.as_str(), *port)).await {
                let _ = server.set_nodelay(true);
                let (from_server, to_server) = server.into_split();
                both(client, from_server, to_server, state).await;
            }
        }
        Behind::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                let (from_server, to_server) = server.into_split();
                both(client, from_server, to_server, state).await;
            }
        }
    }
}

async fn both(
    client: &mut TcpStream,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    state: watch::Receiver<State>,
) {
    let (from_client, to_client) = client.split();
    // Who ends a connection by an error ends both directions of it.
    let _ = tokio::try_join!(
        one_way(from_client, to_server, state.clone()),
        one_way(from_server, to_client, state),
    );
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
