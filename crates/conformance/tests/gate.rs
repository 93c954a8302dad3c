//! What a gate does to those who connect through it.

#![expect(
    clippy::unwrap_used,
    reason = "an error of a socket is a panic in a test, and fails it"
)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokenkeep_conformance::gate::{Behind, Gate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinHandle;

/// How long something takes that ends.
const BOUND: Duration = Duration::from_secs(60);

/// How long something is watched that must not happen.
const WATCHED: Duration = Duration::from_millis(100);

/// A server that sends everything back, and ends when its client does.
async fn echo() -> (Behind, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = Behind::Tcp {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
    };
    let serving = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    (behind, serving)
}

async fn gate() -> Gate {
    Gate::open(echo().await.0).unwrap()
}

async fn connect(gate: &Gate) -> TcpStream {
    TcpStream::connect(gate.address()).await.unwrap()
}

/// What was sent comes back.
async fn answers(stream: &mut TcpStream, what: &[u8]) {
    stream.write_all(what).await.unwrap();
    let mut back = vec![0; what.len()];
    let read = stream.read_exact(&mut back);
    tokio::time::timeout(BOUND, read).await.unwrap().unwrap();
    assert_eq!(back, what);
}

async fn is_silent(stream: &mut TcpStream) {
    let read = tokio::time::timeout(WATCHED, stream.read_u8()).await;
    assert!(read.is_err(), "{read:?} through a frozen gate");
}

/// The connection was ended from the other side, not in the polite way.
async fn is_cut(stream: &mut TcpStream) {
    let read = tokio::time::timeout(BOUND, stream.read(&mut [0; 8]))
        .await
        .unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn everything_passes_in_both_directions() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    answers(&mut stream, b"hello").await;
    let many: Vec<u8> = (0..1_000_000u32).map(|number| number as u8).collect();
    let (mut from, mut to) = stream.split();
    let mut back = vec![0; many.len()];
    let (sent, read) = tokio::join!(to.write_all(&many), from.read_exact(&mut back));
    sent.unwrap();
    read.unwrap();
    assert!(back == many, "a million bytes came back otherwise");
}

#[tokio::test]
async fn an_end_passes_too() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    stream.write_all(b"the last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = Vec::new();
    let read = stream.read_to_end(&mut back);
    tokio::time::timeout(BOUND, read).await.unwrap().unwrap();
    assert_eq!(back, b"the last words");
}

#[tokio::test]
async fn a_frozen_gate_holds_what_waits_until_the_thaw() {
    let gate = gate().await;
    let mut old = connect(&gate).await;
    answers(&mut old, b"before").await;
    gate.freeze();
    old.write_all(b"held").await.unwrap();
    is_silent(&mut old).await;
    let mut new = connect(&gate).await;
    new.write_all(b"held").await.unwrap();
    is_silent(&mut new).await;
    gate.thaw();
    for stream in [&mut old, &mut new] {
        let mut back = [0; 4];
        let read = stream.read_exact(&mut back);
        tokio::time::timeout(BOUND, read).await.unwrap().unwrap();
        assert_eq!(&back, b"held");
        answers(stream, b"after").await;
    }
}

/// Whoever sends to a frozen gate is held up at some time: it takes no more than a bounded buffer.
#[tokio::test]
async fn a_frozen_gate_takes_no_endless_stream() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    gate.freeze();
    let held_up = Duration::from_secs(1);
    let mut parts = 0;
    while let Ok(sent) = tokio::time::timeout(held_up, stream.write_all(&[0; 65_536])).await {
        sent.unwrap();
        parts += 1;
        assert!(parts < 16_384, "it takes a gigabyte");
    }
    let more = stream.try_write(&[0; 65_536]);
    assert_eq!(more.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_cut_ends_all_connections_and_takes_new_ones() {
    let gate = gate().await;
    let mut streams = [connect(&gate).await, connect(&gate).await];
    for stream in &mut streams {
        answers(stream, b"before").await;
    }
    gate.cut();
    for stream in &mut streams {
        is_cut(stream).await;
    }
    answers(&mut connect(&gate).await, b"after").await;
}

#[tokio::test]
async fn a_cut_reaches_connections_of_a_frozen_gate() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    answers(&mut stream, b"before").await;
    gate.freeze();
    stream.write_all(b"held").await.unwrap();
    is_silent(&mut stream).await;
    gate.cut();
    is_cut(&mut stream).await;
}

#[tokio::test]
async fn a_stopped_gate_refuses_until_it_is_started_at_its_address() {
    let gate = gate().await;
    let address: SocketAddr = gate.address();
    for _ in 0..3 {
        let mut stream = connect(&gate).await;
        answers(&mut stream, b"before").await;
        gate.stop().await.unwrap();
        gate.stop().await.unwrap();
        is_cut(&mut stream).await;
        for _ in 0..100 {
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
        gate.start().unwrap();
        gate.start().unwrap();
        assert_eq!(gate.address(), address);
    }
    answers(&mut connect(&gate).await, b"after").await;
}

#[tokio::test]
async fn a_dropped_gate_is_gone() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    answers(&mut stream, b"before").await;
    let address = gate.address();
    drop(gate);
    is_cut(&mut stream).await;
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(BOUND, gone).await.unwrap();
}

/// The gate is there without its server; a connection then ends.
#[tokio::test]
async fn a_server_that_is_gone_ends_the_connection() {
    let (behind, serving) = echo().await;
    serving.abort();
    let _ = serving.await;
    let gate = Gate::open(behind).unwrap();
    let mut stream = connect(&gate).await;
    let read = tokio::time::timeout(BOUND, stream.read(&mut [0; 8])).await;
    assert_eq!(read.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_unix_socket_may_be_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = client.split();
        tokio::io::copy(&mut from, &mut to).await.unwrap();
    });
    let gate = Gate::open(Behind::Unix(path)).unwrap();
    answers(&mut connect(&gate).await, b"hello").await;
}

/// A server that is at work on something when its client is cut off, as databases are.
#[tokio::test]
async fn what_had_reached_the_server_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = Behind::Tcp {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
    };
    let gate = Gate::open(behind).unwrap();
    gate.ended().await.unwrap();

    let mut client = connect(&gate).await;
    client.write_all(b"work").await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let mut request = [0; 4];
    server.read_exact(&mut request).await.unwrap();
    gate.stop().await.unwrap();
    let early = tokio::time::timeout(WATCHED, gate.ended()).await;
    assert!(early.is_err(), "the server is at work");

    assert_eq!(
        server.read(&mut request).await.unwrap(),
        0,
        "nothing more comes"
    );
    drop(server);
    let ended = tokio::time::timeout(BOUND, gate.ended()).await;
    ended.unwrap().unwrap();
}
