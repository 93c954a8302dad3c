//! A server ends with the process that started it, however that goes.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokenkeep_testkit::{Error, Result, Server, Settings, require};

/// Makes this program start a server and wait to be killed.
const ROLE: &str = "TOKENKEEP_TESTKIT_VICTIM";

/// How long a server may outlive its process.
const BOUND: Duration = Duration::from_secs(30);

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
    let trials = ["postgres", "mariadb", "redis", "valkey"]
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

fn start(kind: &str) -> Result<Server> {
    let settings = Settings::new();
    match kind {
        "postgres" => Server::postgres(&settings),
        "mariadb" => Server::mariadb(&settings),
        "redis" => Server::redis(&settings),
        _ => Server::valkey(&settings),
    }
}

/// Starts a server, tells about it, and waits: what is read from here on is an order.
fn victim(kind: &str) -> ExitCode {
    let server = match start(kind) {
        Ok(server) => server,
        Err(error) => {
            let missing = matches!(error, Error::Missing(_));
            println!("{} {error}", if missing { "missing" } else { "failed" });
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{} {} {}",
        server.pid(),
        server.port(),
        server.folder().display()
    );
    for order in std::io::stdin().lines() {
        match order.as_deref() {
            Ok("freeze") => match server.freeze() {
                Ok(()) => println!("frozen"),
                Err(error) => println!("{error}"),
            },
            _ => break,
        }
    }
    ExitCode::SUCCESS
}

/// A process like this one, with a server.
struct Victim {
    process: Child,
    answers: Box<dyn BufRead + Send>,
    server: u32,
    port: u16,
    folder: PathBuf,
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
        let mut told = String::new();
        answers
            .read_line(&mut told)
            .map_err(|error| failed(&error))?;
        let parts: Vec<_> = told.trim().splitn(3, ' ').collect();
        if let [server, port, folder] = parts[..]
            && let (Ok(server), Ok(port)) = (server.parse(), port.parse())
        {
            let folder = folder.into();
            return Ok(Self {
                process,
                answers,
                server,
                port,
                folder,
            });
        }
        let ended = process.wait().map_err(|error| failed(&error))?;
        match told.trim().strip_prefix("missing ") {
            Some(reason) => Err(Error::Missing(reason.to_owned())),
            None => Err(Error::Failed(format!("{ended}: {told}"))),
        }
    }

    /// All is there before, so that nothing passes for having never been.
    fn is_up(&self) -> bool {
        self.folder.is_dir() && PathBuf::from(format!("/proc/{}", self.server)).exists()
    }

    fn leaves_nothing(&self) -> std::result::Result<(), Failed> {
        let begun = Instant::now();
        let gone = || {
            let process = PathBuf::from(format!("/proc/{}", self.server));
            let listening = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            !process.exists() && !self.folder.exists() && !listening
        };
        while !gone() {
            if begun.elapsed() > BOUND {
                return Err("the server outlives its process".into());
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
    let left = victim.folder.exists();
    victim.leaves_nothing()?;
    if up && status.success() && !left {
        Ok(())
    } else {
        Err(format!("{status}, up before {up}, folder left {left}").into())
    }
}
