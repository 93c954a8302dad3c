//! Several processes on one SQLite file.
//!
//! Some tests start this program again as a child.

mod disk;
mod kill;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use tokenkeep_core::{
    ManualClock, Timestamp, TokenDriver as _, TokenDriverExt as _, TokenFilter, TokenId,
    TokenRecord,
};
use tokenkeep_sql::{SqlDriver, SqliteOptions, sqlite};

/// A child's job, its number, and the file: set in children alone.
const CHILD: &str = "TOKENKEEP_SQLITE_CHILD";

type Tried<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    if let Ok(job) = env::var(CHILD) {
        return match work(&job) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("child: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let trials = vec![
        trial("a_kill_loses_nothing_acknowledged", kill::rounds),
        trial("ten_processes_start_at_once", ten_starts),
        Trial::ignorable_test("a_full_disk", || failed(disk::full())),
        Trial::ignorable_test("a_read_only_disk", || failed(disk::read_only())),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn() -> Tried) -> Trial {
    Trial::test(name, move || failed(test()))
}

fn failed<T>(tried: Tried<T>) -> Result<T, Failed> {
    tried.map_err(|error| Failed::from(error.to_string()))
}

/// Does a child's job.
fn work(job: &str) -> Tried {
    let mut words = job.splitn(3, ' ');
    let (Some(job), Some(number), Some(file)) = (words.next(), words.next(), words.next()) else {
        return Err("no job".into());
    };
    let (number, file) = (number.parse()?, Path::new(file));
    match job {
        "write" => runtime()?.block_on(kill::write_for_ever(number, file)),
        "fill" => runtime()?.block_on(disk::fill(file)),
        "fail" => runtime()?.block_on(disk::fail(file)),
        _ => runtime()?.block_on(start(number, file)),
    }
}

fn child(job: &str, number: u8, file: &Path) -> Tried<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(CHILD, format!("{job} {number} {}", file.display()));
    Ok(command)
}

/// Ten nodes make one store and its schema: one of them each step.
fn ten_starts() -> Tried {
    for _ in 0..3 {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("new.db");
        let children = (0..10)
            .map(|number| Ok(child("start", number, &file)?.spawn()?))
            .collect::<Tried<Vec<_>>>()?;
        for mut child in children {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("a child ended with {status}").into());
            }
        }
        let tokens = runtime()?.block_on(async {
            let status = sqlite::schema_status(&SqliteOptions::new(&file)).await?;
            assert!(status.is_newest());
            let all = TokenFilter::new().with_user("ada")?;
            open(&file).await?.list_all(&all).await
        })?;
        assert_eq!(tokens.len(), 10);
    }
    Ok(())
}

async fn start(number: u8, file: &Path) -> Tried {
    let record = record(TokenId::from_bytes([number; 32]))?;
    Ok(open(file).await?.create(record).await?)
}

fn record(id: TokenId) -> tokenkeep_core::Result<TokenRecord> {
    TokenRecord::new(id, "audit", "ada", Timestamp::MIN, Timestamp::MAX)
}

async fn open(file: &Path) -> tokenkeep_core::Result<SqlDriver> {
    let clock = Arc::new(ManualClock::new(Timestamp::MIN));
    let mut options = SqliteOptions::new(file);
    // Others may keep the disk busy.
    options.common.timeout = Duration::from_secs(60);
    sqlite::open(&options, clock).await
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
