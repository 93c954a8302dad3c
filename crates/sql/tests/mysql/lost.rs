//! A node that is frozen, or lost with its machine, in the middle of a call: its session stays with the
//! server, and nothing more comes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_testkit::{Server, Settings};

use crate::holder::until;
use crate::support::{id, manual_clock, of_user, open, options, own_server, record};

/// A way to a server on which, once a commit is to pass, nothing does any more.
struct Wire {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let (cut, target) = (Arc::clone(&is_cut), server.port());
        // It ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let cut = Arc::clone(&cut);
                thread::spawn(move || pass_back(back, forth));
                thread::spawn(move || pass_on(client, server, &cut));
            }
        });
        Self { port, is_cut }
    }
}

fn pass_on(mut client: TcpStream, mut server: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let part = &buffer[..count];
        if commits(part) {
            is_cut.store(true, Ordering::SeqCst);
        }
        if !is_cut.load(Ordering::SeqCst) && server.write_all(part).is_err() {
            break;
        }
    }
    // The server hears nothing of a client that is lost.
    if !is_cut.load(Ordering::SeqCst) {
        let _ = server.shutdown(Shutdown::Both);
    }
}

/// There are sessions that are to be READ COMMITTED, too.
fn commits(part: &[u8]) -> bool {
    let mut places = part.windows(6).enumerate();
    places.any(|(place, letters)| letters == b"COMMIT" && part.get(place + 6) != Some(&b'T'))
}

fn pass_back(mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}

/// How a node is lost in the call, and what the others then can do.
#[derive(Clone, Copy, Debug)]
enum Lost {
    Bulk,
    Rotation,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_lost_within_a_bulk_revocation_holds_up_others_for_a_moment_only() {
    lose(Lost::Bulk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_lost_within_a_rotation_holds_up_others_for_a_moment_only() {
    lose(Lost::Rotation).await;
}

async fn lose(lost: Lost) {
    let Some(server) = own_server(&Settings::new()) else {
        return;
    };
    let wire = Wire::to(&server);
    let mut options = options(&server, "lost");
    let others = open(&options, manual_clock()).await;
    options.port = wire.port;
    // The others need less than this on any machine.
    options.common.timeout = Duration::from_secs(30);
    let node = open(&options, manual_clock()).await;
    for number in 1..=3 {
        others.create(record(number, "ada")).await.unwrap();
    }
    others.create(record(10, "bob")).await.unwrap();

    let call = tokio::spawn(async move {
        match lost {
            Lost::Bulk => node.delete_tokens(&of_user("ada")).await.err(),
            Lost::Rotation => node.rotate(&id(1), record(20, "ada")).await.err(),
        }
    });
    until("the node is lost", || wire.is_cut.load(Ordering::SeqCst));
    let began = Instant::now();
    others.delete(&id(10)).await.unwrap();
    let open = "SELECT COUNT(*) FROM information_schema.innodb_trx";
    let open = server.sql(open).unwrap();
    assert_ne!(open.trim(), "0", "what was lost is still there");
    let error = call.await.unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    // The server takes back what was done, and the token can be had again.
    while let Err(error) = others.delete(&id(1)).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(began.elapsed() < Duration::from_secs(120));
    }
    others.delete_tokens(&of_user("ada")).await.unwrap();
}
