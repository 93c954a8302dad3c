//! Starting, freezing, killing, and starting again.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokenkeep_testkit::{Result, Server, Settings};

use crate::{Kind, Test, Told, ensure};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("starts_and_answers", starts_and_answers),
    ("starts_a_second_time_from_the_template", starts_again),
    ("two_are_apart", two_are_apart),
    ("a_frozen_one_keeps_connections_and_answers_none", frozen),
    ("a_frozen_one_has_no_running_process", stands_still),
    ("survives_kills_with_its_data_and_its_port", killed),
    ("survives_a_stop_with_its_data_and_its_port", stopped),
    ("a_frozen_one_can_be_killed_and_stopped", frozen_then),
    ("a_running_one_can_be_restarted", restarted),
    ("one_is_shared", shared),
];

fn prepared(kind: Kind) -> Result<Server> {
    let server = (kind.start)(&Settings::new())?;
    server.sql(kind.prepare)?;
    Ok(server)
}

fn count(server: &Server, kind: Kind) -> Result<String> {
    Ok(server.sql(kind.count)?.trim().to_owned())
}

fn starts_and_answers(kind: Kind) -> Result<Told> {
    let server = prepared(kind)?;
    server.sql(kind.write)?;
    let count = count(&server, kind)?;
    let connects = TcpStream::connect((server.host(), server.port())).is_ok();
    Ok(ensure(count == "1", "one row")
        .and_then(|()| ensure(connects, "it listens"))
        .and_then(|()| ensure(server.is_running(), "it runs"))
        .and_then(|()| ensure(server.socket().exists(), "a socket"))
        .and_then(|()| ensure(server.data_folder().is_dir(), "data"))
        .and_then(|()| ensure(server.sql("nonsense").is_err(), "nonsense is an error")))
}

fn starts_again(kind: Kind) -> Result<Told> {
    let first = (kind.start)(&Settings::new())?;
    let begun = Instant::now();
    let second = (kind.start)(&Settings::new())?;
    let took = begun.elapsed();
    drop((first, second));
    eprintln!("{}: the second one took {took:?}", kind.name);
    Ok(ensure(
        took < Duration::from_secs(60),
        &format!("the second one took {took:?}"),
    ))
}

fn two_are_apart(kind: Kind) -> Result<Told> {
    let (one, other) = (prepared(kind)?, prepared(kind)?);
    one.sql(kind.write)?;
    let counts = (count(&one, kind)?, count(&other, kind)?);
    let wanted = ("1".to_owned(), "0".to_owned());
    Ok(ensure(counts == wanted, &format!("{counts:?}"))
        .and_then(|()| ensure(one.port() != other.port(), "one port")))
}

/// A client that has begun before the freeze ends after the thaw; connecting waits for it too.
fn frozen(kind: Kind) -> Result<Told> {
    let server = prepared(kind)?;
    server.freeze()?;
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            // The receiver lives until this thread has ended.
            let _ = sender.send(server.sql(kind.write));
        });
        let early = receiver.recv_timeout(Duration::from_millis(500)).is_ok();
        let connects = TcpStream::connect((server.host(), server.port())).is_ok();
        let running = server.is_running();
        server.thaw();
        let late = receiver.recv_timeout(Duration::from_secs(60));
        Ok(ensure(!early, "a frozen server answers")
            .and_then(|()| ensure(connects, "a frozen server refuses connections"))
            .and_then(|()| ensure(running, "a frozen server is gone"))
            .and_then(|()| ensure(matches!(late, Ok(Ok(_))), "no answer after the thaw")))
    })
}

/// Also those of connections that were there before.
fn stands_still(kind: Kind) -> Result<Told> {
    let server = (kind.start)(&Settings::new())?;
    let connection = TcpStream::connect((server.host(), server.port()));
    let before = states(&server);
    server.freeze()?;
    let frozen = states(&server);
    server.thaw();
    drop(connection);
    let still = |states: &[char]| !states.is_empty() && states.iter().all(|state| *state == 'T');
    Ok(ensure(
        !still(&before) && still(&frozen),
        &format!("{before:?} before, {frozen:?} frozen"),
    ))
}

/// The states of the server's processes, as the system tells them.
fn states(server: &Server) -> Vec<char> {
    let own = server.pid().to_string();
    let state = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(") ")?;
        let (pid, _) = before.split_once(' ')?;
        let mut fields = after.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?);
        (pid == own || parent == own)
            .then(|| state.chars().next())
            .flatten()
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(state).collect()
}

fn killed(kind: Kind) -> Result<Told> {
    let server = prepared(kind)?;
    let port = server.port();
    for round in 1..=3 {
        server.sql(kind.write)?;
        let open = TcpStream::connect((server.host(), port));
        server.kill()?;
        if server.is_running() || TcpStream::connect((server.host(), port)).is_ok() {
            return Ok(Err("a killed server answers".into()));
        }
        if !open.is_ok_and(|stream| is_cut(&stream)) {
            return Ok(Err("a killed server keeps its connections".into()));
        }
        server.restart()?;
        let found = count(&server, kind)?;
        if found != round.to_string() || server.port() != port {
            return Ok(Err(format!("{found} rows after kill {round}").into()));
        }
    }
    Ok(Ok(()))
}

fn is_cut(mut stream: &TcpStream) -> bool {
    let mut rest = Vec::new();
    let bound = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let ended = stream.read_to_end(&mut rest);
    let waits = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    bound.is_ok() && !ended.is_err_and(|error| waits.contains(&error.kind()))
}

fn stopped(kind: Kind) -> Result<Told> {
    let server = prepared(kind)?;
    let port = server.port();
    server.sql(kind.write)?;
    server.stop()?;
    if server.is_running() || TcpStream::connect((server.host(), port)).is_ok() {
        return Ok(Err("a stopped server answers".into()));
    }
    server.restart()?;
    let found = count(&server, kind)?;
    Ok(ensure(found == "1" && server.port() == port, &found))
}

fn frozen_then(kind: Kind) -> Result<Told> {
    let server = prepared(kind)?;
    server.sql(kind.write)?;
    server.freeze()?;
    server.kill()?;
    server.restart()?;
    server.freeze()?;
    server.stop()?;
    server.restart()?;
    let found = count(&server, kind)?;
    Ok(ensure(found == "1", &found))
}

fn restarted(kind: Kind) -> Result<Told> {
    let server = prepared(kind)?;
    server.sql(kind.write)?;
    let before = server.pid();
    server.restart()?;
    let found = count(&server, kind)?;
    Ok(ensure(found == "1" && server.pid() != before, &found))
}

fn shared(kind: Kind) -> Result<Told> {
    let (one, other) = ((kind.shared)()?, (kind.shared)()?);
    Ok(ensure(
        one.port() == other.port() && one.is_running(),
        "two",
    ))
}
