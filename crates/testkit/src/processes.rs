//! A server's processes as a whole: PostgreSQL has one for each connection.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Error, Result};

/// How long processes may take to stop or to end.
const BOUND: Duration = Duration::from_secs(60);

/// How long a process has to end before it is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stops a process and all below it. On return none of them runs on.
///
/// The topmost is stopped first, so that it starts no others meanwhile.
pub(crate) fn freeze(top: i32) -> Result<()> {
    let mut stopped = Vec::new();
    let mut next = vec![top];
    while !next.is_empty() {
        for pid in &next {
            signal(*pid, Signal::SIGSTOP);
        }
        until("the server's processes to stop", || {
            next.iter().all(|pid| stands_still(*pid))
        })?;
        stopped.append(&mut next);
        next = below(top);
        next.retain(|pid| !stopped.contains(pid));
    }
    Ok(())
}

/// Lets a frozen process and all below it go on.
pub(crate) fn thaw(top: i32) {
    for pid in below(top) {
        signal(pid, Signal::SIGCONT);
    }
    signal(top, Signal::SIGCONT);
}

/// Ends a process and all below it at once. On return none of them is left.
pub(crate) fn end(top: i32) -> Result<()> {
    freeze(top)?;
    let mut all = below(top);
    all.push(top);
    for pid in &all {
        signal(*pid, Signal::SIGKILL);
    }
    until("the killed processes to be gone", || {
        !all.iter().any(|pid| is_alive(*pid))
    })
}

/// Asks a process to end, and waits until it and all below it are gone.
///
/// It is asked again from time to time: Redis refuses as long as the log that it needs to come back
/// is not written, and forgets that it was asked.
pub(crate) fn ask_to_end(top: i32, politely: Signal) -> Result<()> {
    let mut all = below(top);
    all.push(top);
    let mut asked: Option<Instant> = None;
    until("the server to end", || {
        if asked.is_none_or(|asked| asked.elapsed() > PATIENCE) {
            signal(top, politely);
            asked = Some(Instant::now());
        }
        !all.iter().any(|pid| is_alive(*pid))
    })
}

/// Whether the process exists and is more than an entry that nobody has collected. Its first thread
/// can be gone while others still hold its files and connections.
pub(crate) fn is_alive(pid: i32) -> bool {
    any_thread(pid, |state| !matches!(state, 'Z' | 'X'))
}

/// Waits for a condition that comes true within a bound.
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) -> Result<()> {
    until_every(Duration::from_millis(2), what, condition)
}

/// As [`until`], for a condition that takes some work to look at.
pub(crate) fn until_every(
    pause: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> Result<()> {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > BOUND {
            return Err(Error::failed(format_args!("waited {BOUND:?} for {what}")));
        }
        thread::sleep(pause);
    }
    Ok(())
}

fn signal(pid: i32, signal: Signal) {
    // A process that is gone already needs no signal.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Whether no thread of the process runs.
pub(crate) fn stands_still(pid: i32) -> bool {
    !any_thread(pid, |state| !matches!(state, 'T' | 't' | 'Z' | 'X'))
}

/// Whether a thread of the process is in such a state.
fn any_thread(pid: i32, such: impl Fn(char) -> bool) -> bool {
    fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| Stat::read(&thread.path().join("stat")))
        .any(|stat| such(stat.state))
}

/// The processes that come from this one, directly or not.
fn below(top: i32) -> Vec<i32> {
    let all: Vec<_> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::of(pid)?.parent)))
        .collect();
    let mut found = vec![top];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| pid),
        );
        next += 1;
    }
    found.split_off(1)
}

/// What the system tells of a process or a thread.
struct Stat {
    state: char,
    parent: i32,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::read(format!("/proc/{pid}/stat").as_ref())
    }

    fn read(path: &std::path::Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        // The name before may hold anything, closing brackets included.
        let (_, rest) = text.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        Some(Self {
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
        })
    }
}
