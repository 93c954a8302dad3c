//! Whether a port that gives no TLS answer is one without TLS.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::options::Host;

/// Whether a server answers there in plain words; it is told nothing of who we are. A server without TLS
/// never answers the first words of a TLS client, but waits for the rest of a line.
pub(super) async fn answers(host: &Host) -> bool {
    matches!(first_byte(host).await, Ok(b'+' | b'-'))
}

async fn first_byte(host: &Host) -> io::Result<u8> {
    let mut stream = TcpStream::connect((host.name.as_str(), host.port)).await?;
    stream.write_all(b"PING\r\n").await?;
    stream.read_u8().await
}
