//! A real `kill -9` amid concurrent writers, over and over on one store.
//!
//! The test starts itself as a child, which writes to a store and says on its standard output what it
//! begins and what was acknowledged. The parent kills it at some moment and looks at what is left.

mod child;
mod model;
mod operation;
mod random;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use model::Model;
use operation::Said;
use random::Random;
use tokenkeep_core::{Clock, ErrorKind, ManualClock, Timestamp, TokenDriver, TokenFilter, TokenId};
use tokenkeep_sled::{SledDriver, SledDurability, SledOptions};

/// Folder, round and durability of a child: set in children alone.
const CHILD: &str = "TOKENKEEP_KILL_CHILD";
const WRITERS: usize = 8;

fn main() -> ExitCode {
    if let Ok(job) = env::var(CHILD) {
        return child::main(&job);
    }
    let trials = vec![
        Trial::test("sync_loses_nothing_acknowledged", || rounds("sync", 20)),
        Trial::test("relaxed_loses_no_part_of_a_write", || rounds("relaxed", 8)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn rounds(durability: &str, count: u32) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut random = Random::new();
    println!("seed {}", random.seed());
    let mut model = Model::default();
    for round in 0..count {
        // Sometimes in the first moments, where the store is just being made or recovered.
        let acknowledged = random.below(if round % 4 == 3 { 20 } else { 2_500 });
        write_until_killed(folder.path(), durability, round, acknowledged, &mut model)?;
        look(folder.path(), durability, round, &mut model)
            .map_err(|failed| format!("round {round}: {}", failed.message().unwrap_or_default()))?;
    }
    purge(folder.path(), count)
}

/// The time of a round: tokens that were made to, expire from one to the next.
fn now(round: u32) -> Timestamp {
    Timestamp::MIN.saturating_add(std::time::Duration::from_secs(60 * u64::from(round + 1)))
}

fn options(folder: &Path, durability: &str) -> SledOptions {
    let durability = match durability {
        "relaxed" => SledDurability::Relaxed,
        _ => SledDurability::Sync,
    };
    // Longer than the disk stands still under other programs' writes.
    let patient = std::time::Duration::from_secs(60);
    SledOptions::new(folder)
        .with_durability(durability)
        .with_timeout(patient)
}

fn write_until_killed(
    folder: &Path,
    durability: &str,
    round: u32,
    acknowledged: u64,
    model: &mut Model,
) -> Result<(), Failed> {
    let job = format!("{durability} {round} {}", folder.display());
    let mut child = Command::new(env::current_exe()?)
        .env(CHILD, job)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let mut count = 0;
    for line in BufReader::new(output).lines() {
        // What was said before the end still counts, but for a line that was cut off.
        let Some(said) = Said::parse(&line?) else {
            continue;
        };
        count += u64::from(matches!(said, Said::Acknowledged(_)));
        model.hear(said);
        if count == acknowledged {
            child.kill()?;
        }
    }
    let status = child.wait()?;
    if status.code().is_some() {
        return Err(format!("the child was not killed, but ended: {status}").into());
    }
    Ok(())
}

/// Opens what is left; nothing acknowledged may be missing, and all entries have to agree.
fn look(folder: &Path, durability: &str, round: u32, model: &mut Model) -> Result<(), Failed> {
    // Opening reads the whole store first: a torn end must not count as damage.
    read(folder, round, &[])?;
    let entries = dump(folder)?;
    let problems = tokenkeep_layout::disagreements(&entries);
    if !problems.is_empty() {
        return Err(format!("the entries disagree: {problems:#?}").into());
    }
    if durability == "sync" {
        model.compare(&entries, now(round))?;
    } else {
        model.adopt(&entries)?;
    }
    if read(folder, round, &model.ids())? != model.active(now(round)) {
        return Err("get and the stored records disagree".into());
    }
    Ok(())
}

/// Those of the tokens that are active, and their versions.
fn read(folder: &Path, round: u32, ids: &[TokenId]) -> Result<Vec<(TokenId, u64)>, Failed> {
    runtime()?.block_on(async {
        let clock = Arc::new(ManualClock::new(now(round)));
        let driver = SledDriver::open(options(folder, "sync"), clock).await?;
        let mut active = Vec::new();
        for id in ids {
            match driver.get(id).await {
                Ok(record) => active.push((*id, record.version)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(active)
    })
}

/// Bulk revocation finds every token that is active in the end.
fn purge(folder: &Path, round: u32) -> Result<(), Failed> {
    runtime()?.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now(round)));
        let driver = SledDriver::open(options(folder, "sync"), clock).await?;
        for writer in 0..WRITERS {
            let filter = TokenFilter::new().with_user(&operation::user(writer))?;
            driver.delete_tokens(&filter).await?;
        }
        Ok::<_, Failed>(())
    })?;
    let mut left = Model::default();
    left.adopt(&dump(folder)?)?;
    match left.active(now(round)).len() {
        0 => Ok(()),
        left => Err(format!("bulk revocation missed {left} tokens").into()),
    }
}

/// All entries of the namespace, as sled has them.
fn dump(folder: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Failed> {
    let db = sled::Config::new()
        .path(folder)
        .segment_size(4 << 20)
        .flush_every_ms(None)
        .open()?;
    let tree = db.open_tree("ns:default")?;
    let entries = tree
        .iter()
        .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
        .collect::<Result<_, _>>()?;
    Ok(entries)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
