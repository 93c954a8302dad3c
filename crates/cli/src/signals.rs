//! What ends the program early: Ctrl-C, and the system's requests to end.

/// Waits until somebody wants the program to end.
pub(crate) async fn interrupted() {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = asked_to_end() => {}
    }
}

/// Waits for SIGTERM, or for SIGHUP, which a terminal that is closed sends.
#[cfg(unix)]
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};

    let kinds = (SignalKind::terminate(), SignalKind::hangup());
    if let (Ok(mut terminated), Ok(mut hung_up)) = (signal(kinds.0), signal(kinds.1)) {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = hung_up.recv() => {}
        }
    } else {
        std::future::pending::<()>().await;
    }
}

/// There is nothing but Ctrl-C.
#[cfg(not(unix))]
async fn asked_to_end() {
    std::future::pending::<()>().await;
}
