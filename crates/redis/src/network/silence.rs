//! How long a machine that is gone may keep a connection waiting.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// After so long without a word the other side is asked whether it is there, again and again.
const ASKED_AFTER: Duration = Duration::from_secs(5);
#[cfg(any(
    target_os = "android",
    target_os = "linux",
    target_os = "macos",
    target_os = "windows"
))]
const ASKED_EVERY: Duration = Duration::from_secs(2);

/// What was not received by then never will be: the connection ends.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MOST_UNHEARD: Duration = Duration::from_secs(10);

/// Lets a connection end before long where the other side is gone without having closed it, so that those
/// that nobody uses do not seem to be open.
pub(super) fn bound(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let asking = TcpKeepalive::new().with_time(ASKED_AFTER);
    #[cfg(any(
        target_os = "android",
        target_os = "linux",
        target_os = "macos",
        target_os = "windows"
    ))]
    let asking = asking.with_interval(ASKED_EVERY);
    socket.set_tcp_keepalive(&asking)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(MOST_UNHEARD))?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn connections_do_not_outlive_their_other_side_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stream = stream.unwrap();
        bound(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), ASKED_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), ASKED_EVERY);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(MOST_UNHEARD));
    }
}
