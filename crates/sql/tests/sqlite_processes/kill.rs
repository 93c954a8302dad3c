//! A real `kill -9` amid 16 writers, over and over on one file.
//!
//! The child writes to the file and says on its standard output what it begins and what was
//! acknowledged. The parent kills it at some moment and looks at what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use sqlx::{ConnectOptions as _, Row as _};
use tokenkeep_core::{
    ErrorKind, Rotation, Timestamp, TokenDriver as _, TokenDriverExt as _, TokenFilter, TokenId,
    TokenRecord,
};
use tokenkeep_sql::SqlDriver;

use crate::{Tried, child, open, runtime};

const WRITERS: u8 = 16;
const ROUNDS: u8 = 10;

pub(crate) fn rounds() -> Tried {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("killed.db");
    let mut model = Model::default();
    for round in 0..ROUNDS {
        // Sometimes in the first moments, where the file is just being made or recovered.
        let acknowledged = if round % 4 == 0 {
            3
        } else {
            300 + 97 * u64::from(round)
        };
        write_until_killed(&file, round, acknowledged, &mut model)?;
        runtime()?
            .block_on(look(&file, &mut model))
            .map_err(|error| format!("round {round}: {error}"))?;
    }
    Ok(())
}

/// What a writer does, with the numbers of its tokens.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Create(TokenId),
    Delete(TokenId),
    Rotate(TokenId, TokenId),
}

/// What was said: by each writer one thing after the other.
#[derive(Debug, Default)]
struct Model {
    /// Whether each token is active.
    tokens: BTreeMap<TokenId, bool>,
    /// What each writer had begun when it was killed: done or not.
    pending: BTreeMap<u8, Operation>,
}

impl Model {
    fn hear(&mut self, line: &str) -> Option<bool> {
        // Without its last word a line might still make sense.
        let words: Vec<_> = line.strip_suffix('.')?.split(' ').collect();
        let (writer, rest) = words.split_first()?;
        let writer = writer.parse().ok()?;
        let id = |word: &str| word.parse::<TokenId>().ok();
        let operation = match *rest {
            ["ok"] => {
                let operation = self.pending.remove(&writer)?;
                perform(&mut self.tokens, operation);
                return Some(true);
            }
            ["create", new] => Operation::Create(id(new)?),
            ["delete", old] => Operation::Delete(id(old)?),
            ["rotate", old, new] => Operation::Rotate(id(old)?, id(new)?),
            _ => return None,
        };
        self.pending.insert(writer, operation);
        Some(false)
    }

    /// Takes over what was begun where the active tokens show that it was done; wholly or not at all.
    fn settle(&mut self, active: &BTreeSet<TokenId>) {
        for operation in std::mem::take(&mut self.pending).into_values() {
            let mut after = self.tokens.clone();
            perform(&mut after, operation);
            let touched =
                |(id, is_active): &(&TokenId, &bool)| self.tokens.get(*id) != Some(*is_active);
            let was_done = after
                .iter()
                .filter(touched)
                .all(|(id, is_active)| active.contains(id) == *is_active);
            if was_done {
                self.tokens = after;
            }
        }
    }
}

fn perform(tokens: &mut BTreeMap<TokenId, bool>, operation: Operation) {
    match operation {
        Operation::Create(id) => {
            tokens.insert(id, true);
        }
        Operation::Delete(id) => {
            tokens.insert(id, false);
        }
        Operation::Rotate(old, new) => {
            tokens.insert(old, false);
            tokens.insert(new, true);
        }
    }
}

fn write_until_killed(file: &Path, round: u8, acknowledged: u64, model: &mut Model) -> Tried {
    let mut child = child("write", round, file)?
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let mut count = 0;
    for line in BufReader::new(output).lines() {
        // What was said before the end still counts.
        count += u64::from(model.hear(&line?) == Some(true));
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

/// Opens what is left: nothing acknowledged may be missing, and all looks have to agree.
async fn look(file: &Path, model: &mut Model) -> Tried {
    let driver = open(file).await?;
    let mut active = BTreeSet::new();
    for writer in 0..WRITERS {
        let filter = TokenFilter::new().with_user(&user(writer))?;
        active.extend(driver.list_all(&filter).await?.iter().map(|found| found.id));
    }
    model.settle(&active);
    let wanted = |wanted| {
        let tokens = model.tokens.iter().filter(move |(_, is)| **is == wanted);
        tokens.map(|(id, _)| *id).collect::<BTreeSet<_>>()
    };
    if active != wanted(true) {
        let problem = "the active tokens are not those that were acknowledged";
        return Err(format!("{problem}: {active:?}, not {:?}", wanted(true)).into());
    }
    let feed = driver.list_all_revoked().await?;
    let revoked: BTreeSet<_> = feed.iter().map(|token| token.id).collect();
    if revoked != wanted(false) || revoked.len() != feed.len() {
        return Err("the feed does not hold each revocation once".into());
    }
    for (id, is_active) in &model.tokens {
        match driver.get(id).await {
            Ok(_) if *is_active => {}
            Err(error) if error.kind() == ErrorKind::NotFound && !is_active => {}
            other => return Err(format!("get gives {other:?}").into()),
        }
    }
    drop(driver);
    is_whole(file).await
}

async fn is_whole(file: &Path) -> Tried {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await?;
    let row = sqlx::query("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await?;
    match row.try_get(0)? {
        "ok" => Ok(()),
        problem => Err(problem.to_owned().into()),
    }
}

/// Writes until it is killed; ends of its own only by an error.
pub(crate) async fn write_for_ever(round: u8, file: &Path) -> Tried {
    let driver = Arc::new(open(file).await?);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(Arc::clone(&driver), round, writer));
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn write(driver: Arc<SqlDriver>, round: u8, writer: u8) -> Tried {
    for number in 0_u32.. {
        let mut bytes = [0; 32];
        bytes[0] = round;
        bytes[1] = writer;
        bytes[2..6].copy_from_slice(&number.to_be_bytes());
        let first = TokenId::from_bytes(bytes);
        bytes[31] = 1;
        let second = TokenId::from_bytes(bytes);
        say(&format!("{writer} create {first}"))?;
        driver.create(record(first, writer)?).await?;
        say(&format!("{writer} ok"))?;
        if number % 3 == 0 {
            say(&format!("{writer} delete {first}"))?;
            driver.delete(&first).await?;
            say(&format!("{writer} ok"))?;
        }
        if number % 3 == 1 {
            say(&format!("{writer} rotate {first} {second}"))?;
            let rotation = driver.rotate(&first, record(second, writer)?).await?;
            assert_eq!(rotation, Rotation::Rotated);
            say(&format!("{writer} ok"))?;
        }
    }
    Ok(())
}

/// Tells the parent. A line that was written whole is read even if the child is killed at once.
fn say(what: &str) -> Tried {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{what}.\n").as_bytes())?;
    Ok(output.flush()?)
}

fn user(writer: u8) -> String {
    format!("user-{writer}")
}

fn record(id: TokenId, writer: u8) -> tokenkeep_core::Result<TokenRecord> {
    let record = TokenRecord::new(id, "audit", &user(writer), Timestamp::MIN, Timestamp::MAX)?;
    Ok(record.with_data(vec![writer; 300]))
}
