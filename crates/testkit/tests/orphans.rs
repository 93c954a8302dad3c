//! Servers end with the process that started them, however that goes.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokenkeep_testkit::{Cluster, Error, Result, SentinelSet, Server, Settings, require};

/// Makes this program start servers and wait to be killed.
const ROLE: &str = "TOKENKEEP_TESTKIT_VICTIM";

/// How long a server may outlive its process.
const BOUND: Duration = Duration::from_secs(120);

type Test = fn(Victim) -> std::result::Result<(), Failed>;

fn main() -> ExitCode {
    if let Ok(kind) = env::var(ROLE) {
        return victim(&kind);
    }
    let tests: [(&str, Test); 3] = [
        ("killed", killed),
        ("killed_while_frozen", killed_while_frozen),
        ("ended", ended),
    ];
    let kinds = [
        "postgres", "mariadb", "redis", "valkey", "sentinel", "cluster",
    ];
    let trials = kinds
        .into_iter()
        .flat_map(|kind| tests.map(|(name, test)| trial(kind, name, test)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(kind: &'static str, name: &str, test: Test) -> Trial {
    Trial::ignorable_test(format!("{kind}::{name}"), move || {
        match require(Victim::start(kind)) {
            Ok(victim) => test(victim).map(|()| Completion::Completed),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    })
}

/// What a victim has.
enum Started {
    One(Box<Server>),
    Sentinel(SentinelSet),
    Cluster(Cluster),
}

impl Started {
    fn new(kind: &str) -> Result<Self> {
        let settings = Settings::new();
        let one = |server| Self::One(Box::new(server));
        match kind {
            "postgres" => Server::postgres(&settings).map(one),
            "mariadb" => Server::mariadb(&settings).map(one),
            "redis" => Server::redis(&settings).map(one),
            "valkey" => Server::valkey(&settings).map(one),
            "sentinel" => SentinelSet::redis(&settings).map(Self::Sentinel),
            _ => Cluster::redis(3, 1, &settings).map(Self::Cluster),
        }
    }

    fn servers(&self) -> Vec<&Server> {
        match self {
            Self::One(server) => vec![server],
            Self::Sentinel(set) => set.nodes().iter().chain(set.sentinels()).collect(),
            Self::Cluster(cluster) => cluster.nodes().iter().collect(),
        }
    }
}

/// Starts servers, tells about them, and waits: what is read from here on is an order.
fn victim(kind: &str) -> ExitCode {
    let started = match Started::new(kind) {
        Ok(started) => started,
        Err(error) => {
            let missing = matches!(error, Error::Missing(_));
            println!("{} {error}", if missing { "missing" } else { "failed" });
            return ExitCode::FAILURE;
        }
    };
    let servers = started.servers();
    for server in &servers {
        let (pid, port, folder) = (server.pid(), server.port(), server.folder());
        println!("{pid} {port} {}", folder.display());
    }
    println!("ready");
    for order in std::io::stdin().lines() {
        match order.as_deref() {
            Ok("freeze") => match servers.iter().try_for_each(|server| server.freeze()) {
                Ok(()) => println!("frozen"),
                Err(error) => println!("{error}"),
            },
            _ => break,
        }
    }
    ExitCode::SUCCESS
}

/// A process like this one, with servers.
struct Victim {
    process: Child,
    answers: Box<dyn BufRead + Send>,
    servers: Vec<Traces>,
}

/// What there is of a server.
struct Traces {
    process: PathBuf,
    port: u16,
    folder: PathBuf,
}

impl Traces {
    fn parse(line: &str) -> Option<Self> {
        let parts: Vec<_> = line.splitn(3, ' ').collect();
        let [pid, port, folder] = parts[..] else {
            return None;
        };
        let pid: u32 = pid.parse().ok()?;
        Some(Self {
            process: format!("/proc/{pid}").into(),
            port: port.parse().ok()?,
            folder: folder.into(),
        })
    }

    fn are_gone(&self) -> bool {
        let listening = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        !self.process.exists() && !self.folder.exists() && !listening
    }
}

impl Victim {
    fn start(kind: &str) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
        let mut process = Command::new(env::current_exe().map_err(|error| failed(&error))?)
            .env(ROLE, kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let output = process.stdout.take().ok_or_else(|| failed(&"no output"))?;
        let mut answers: Box<dyn BufRead + Send> = Box::new(BufReader::new(output));
        let mut servers = Vec::new();
        loop {
            let mut told = String::new();
            answers
                .read_line(&mut told)
                .map_err(|error| failed(&error))?;
            let told = told.trim();
            if told == "ready" {
                return Ok(Self {
                    process,
                    answers,
                    servers,
                });
            }
            if let Some(traces) = Traces::parse(told) {
                servers.push(traces);
                continue;
            }
            let ended = process.wait().map_err(|error| failed(&error))?;
            return Err(match told.strip_prefix("missing ") {
                Some(reason) => Error::Missing(reason.to_owned()),
                None => Error::Failed(format!("{ended}: {told}")),
            });
        }
    }

    /// All is there before, so that nothing passes for having never been.
    fn is_up(&self) -> bool {
        let is_there = |traces: &Traces| traces.folder.is_dir() && traces.process.exists();
        !self.servers.is_empty() && self.servers.iter().all(is_there)
    }

    fn leaves_nothing(&self) -> std::result::Result<(), Failed> {
        let begun = Instant::now();
        while !self.servers.iter().all(Traces::are_gone) {
            if begun.elapsed() > BOUND {
                return Err("a server outlives its process".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn killed(mut victim: Victim) -> std::result::Result<(), Failed> {
    let up = victim.is_up();
    victim.process.kill()?;
    victim.process.wait()?;
    victim.leaves_nothing()?;
    if up {
        Ok(())
    } else {
        Err("it was not up".into())
    }
}

fn killed_while_frozen(mut victim: Victim) -> std::result::Result<(), Failed> {
    use std::io::Write;
    let mut orders = victim.process.stdin.take().ok_or("no input")?;
    orders.write_all(b"freeze\n")?;
    let mut answer = String::new();
    victim.answers.read_line(&mut answer)?;
    killed(victim)?;
    if answer == "frozen\n" {
        Ok(())
    } else {
        Err(answer.into())
    }
}

/// The guard is dropped in the orderly way.
fn ended(mut victim: Victim) -> std::result::Result<(), Failed> {
    let up = victim.is_up();
    drop(victim.process.stdin.take());
    let status = victim.process.wait()?;
    let left = victim.servers.iter().any(|server| server.folder.exists());
    victim.leaves_nothing()?;
    if up && status.success() && !left {
        Ok(())
    } else {
        Err(format!("{status}, up before {up}, folder left {left}").into())
    }
}
