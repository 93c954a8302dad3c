//! The first words over a connection, before calls share it.

use std::io;

use redis::{Pipeline, Value};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::replies;
use super::tls;

/// No answer to a greeting is as long.
const MOST_BYTES: usize = 8 << 10;

/// What a TLS server begins with that tells of an error.
const TLS_ALERT: u8 = 0x15;

/// What a connection that ends before a word was heard over it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    /// It was not encrypted, and a server that wants TLS ends it so.
    MayWantTls,
    /// No more than that it ended.
    Told,
}

/// Says this, and waits until the server has agreed to each command of it: one that stands still takes
/// connections too.
///
/// # Errors
///
/// What the server refuses, also where it does so before it heard anything, and closes.
pub(super) async fn exchange<S>(
    stream: &mut S,
    greeting: &Pipeline,
    unheard: Unheard,
) -> Outcome<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // It may hold a password.
    let words = Zeroizing::new(greeting.get_packed_pipeline());
    let said = say(stream, &words).await;
    let mut heard = Vec::new();
    let outcome = match (listen(stream, greeting.len(), &mut heard).await, said) {
        (Ok(()), Err(error)) => Err(broken(&error)),
        (outcome, _) => outcome,
    };
    let is_silent = heard.is_empty() && unheard == Unheard::MayWantTls;
    outcome.map_err(|failure| match is_silent {
        true => unavailable(&format!("{}: is it a port with TLS?", failure.message)),
        false => failure,
    })
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.flush().await
}

/// Reads so many lines that agree, or the first that does not.
async fn listen<S: AsyncRead + Unpin>(
    stream: &mut S,
    lines: usize,
    heard: &mut Vec<u8>,
) -> Outcome<()> {
    let mut part = [0; 512];
    let mut agreed = 0;
    while agreed < lines {
        let count = stream.read(&mut part).await.map_err(|e| broken(&e))?;
        heard.extend_from_slice(&part[..count]);
        if heard.first() == Some(&TLS_ALERT) {
            let problem = "it answers as a port with TLS does, and the connection is not encrypted";
            return Err(Failure::refused(ErrorKind::Config, problem));
        }
        agreed = 0;
        for line in heard.split_inclusive(|byte| *byte == b'\n') {
            if line.ends_with(b"\n") {
                agree(line)?;
                agreed += 1;
            }
        }
        if count == 0 && agreed < lines {
            return Err(unavailable("the server closed the connection"));
        }
        if heard.len() > MOST_BYTES {
            return Err(nonsense());
        }
    }
    Ok(())
}

fn agree(line: &[u8]) -> Outcome<()> {
    match redis::parse_redis_value(line) {
        Ok(Value::Okay | Value::SimpleString(_)) => Ok(()),
        Ok(Value::ServerError(error)) => Err(replies::meaning(&error)),
        _ => Err(nonsense()),
    }
}

/// A server that wants a certificate says so only after the handshake.
fn broken(error: &io::Error) -> Failure {
    match tls::is_refused(error) {
        true => Failure::refused(ErrorKind::Config, format!("no encryption: {error}")),
        false => unavailable(&format!("the connection broke: {error}")),
    }
}

fn nonsense() -> Failure {
    unavailable("what answers is no Redis server")
}

fn unavailable(problem: &str) -> Failure {
    Failure::refused(ErrorKind::Unavailable, problem)
}

#[cfg(test)]
mod tests {
    use tokenkeep_backend::Cause;
    use tokio::io::duplex;

    use super::*;

    /// What becomes of a greeting of two commands where the server says this and closes.
    async fn told(answer: &str) -> Outcome<()> {
        let (mut here, mut there) = duplex(1_024);
        there.write_all(answer.as_bytes()).await.unwrap();
        drop(there);
        let mut greeting = Pipeline::new();
        greeting.cmd("AUTH").arg("secret").cmd("PING");
        // Nobody hears it: what was said before counts, unless it is no more than half.
        exchange(&mut here, &greeting, Unheard::MayWantTls).await
    }

    #[tokio::test]
    async fn what_a_server_says_before_it_closes_is_heard() {
        use ErrorKind::{Config, Unavailable};
        for (answer, kind, part) in [
            (
                "",
                Unavailable,
                "closed the connection: is it a port with TLS?",
            ),
            ("\x15\x03\x01\0\x02\x02\x46", Config, "a port with TLS"),
            ("+OK\r\n", Unavailable, "closed"),
            (
                "-ERR max number of clients reached\r\n",
                Unavailable,
                "max number",
            ),
            (
                "-DENIED Redis is running in protected mode\r\n",
                Config,
                "protected",
            ),
            (
                "+OK\r\n-NOAUTH Authentication required.\r\n",
                Config,
                "NOAUTH",
            ),
            ("HTTP/1.1 400 Bad Request\r\n", Unavailable, "no Redis"),
        ] {
            let failure = told(answer).await.unwrap_err();
            assert_eq!(failure.cause, Cause::Refused(kind), "{}", failure.message);
            assert!(failure.message.contains(part), "{}", failure.message);
            assert!(!failure.message.contains("secret"));
        }
    }

    #[tokio::test]
    async fn answers_may_come_in_pieces() {
        let (mut here, mut there) = duplex(16);
        let mut greeting = Pipeline::new();
        greeting.cmd("PING").cmd("PING");
        let answering = async {
            for piece in ["+PO", "NG\r", "\n", "+PONG\r\n"] {
                there.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut heard = [0; 28];
            there.read_exact(&mut heard).await.unwrap();
        };
        let exchange = exchange(&mut here, &greeting, Unheard::Told);
        let (outcome, ()) = tokio::join!(exchange, answering);
        outcome.unwrap();
    }
}
