//! The process that is killed.

use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{
    Error, ErrorKind, ManualClock, Replacement, Result, Rotation, Timestamp, TokenDriver,
    TokenDriverExt as _, TokenFilter, TokenId, TokenRecord,
};
use tokenkeep_sled::SledDriver;

use crate::operation::{Operation, Said, user};
use crate::random::Random;
use crate::{WRITERS, now, options, runtime};

/// Writes until it is killed; ends of its own only by an error.
pub(crate) fn main(job: &str) -> ExitCode {
    let mut words = job.splitn(3, ' ');
    let (Some(durability), Some(round), Some(folder)) = (words.next(), words.next(), words.next())
    else {
        return ExitCode::FAILURE;
    };
    let (Ok(round), Ok(runtime)) = (round.parse(), runtime()) else {
        return ExitCode::FAILURE;
    };
    if let Err(error) = runtime.block_on(write(Path::new(folder), durability, round)) {
        eprintln!("child: {error}");
    }
    ExitCode::FAILURE
}

async fn write(folder: &Path, durability: &str, round: u32) -> Result<()> {
    let clock = Arc::new(ManualClock::new(now(round)));
    let driver = SledDriver::open(options(folder, durability), clock).await?;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..WRITERS {
        let writer = Writer::new(number, round, driver.clone()).await?;
        writers.spawn(writer.run());
    }
    while let Some(ended) = writers.join_next().await {
        // A failed assertion ends the child as an error does, which the parent takes for a failure.
        ended.map_err(|panic| Error::new(ErrorKind::Internal, "a writer").with_source(panic))??;
    }
    Ok(())
}

struct Writer {
    number: usize,
    round: u32,
    driver: SledDriver,
    filter: TokenFilter,
    random: Random,
    /// The writer's active tokens, and their versions.
    tokens: Vec<(TokenId, u64)>,
    created: u64,
}

impl Writer {
    async fn new(number: usize, round: u32, driver: SledDriver) -> Result<Self> {
        let filter = TokenFilter::new().with_user(&user(number))?;
        let known = driver.list_all(&filter).await?;
        Ok(Self {
            number,
            round,
            driver,
            filter,
            random: Random::new(),
            tokens: known
                .iter()
                .map(|found| (found.id, found.version))
                .collect(),
            created: 0,
        })
    }

    async fn run(mut self) -> Result<()> {
        loop {
            let operation = self.choose();
            say(Said::Begun(self.number, operation));
            self.perform(operation).await?;
            say(Said::Acknowledged(self.number));
        }
    }

    fn choose(&mut self) -> Operation {
        let choice = self.random.below(100);
        if choice == 1 {
            return Operation::DeleteTokens;
        }
        if choice == 2 {
            return Operation::FlushExpired;
        }
        let (new, expiry) = (self.new_id(), self.expiry());
        if choice <= 50 || self.tokens.is_empty() {
            return Operation::Create(new, expiry);
        }
        let index = self.pick();
        let (id, version) = self.tokens[index];
        match choice {
            51..=65 => Operation::Delete(id),
            66..=80 => Operation::Rotate(id, new, expiry),
            _ => Operation::Replace(id, expiry, version),
        }
    }

    async fn perform(&mut self, operation: Operation) -> Result<()> {
        match operation {
            Operation::Create(id, expires_at) => {
                let record = self.record(id, expires_at)?;
                self.driver.create(record).await?;
                self.tokens.push((id, 1));
            }
            Operation::Delete(id) => {
                self.driver.delete(&id).await?;
                self.forget(id);
            }
            Operation::Replace(id, expires_at, version) => {
                let data = self.data().into();
                let change = Replacement {
                    id,
                    expires_at,
                    data,
                };
                let version = self.driver.replace(change, version).await?;
                self.forget(id);
                self.tokens.push((id, version));
            }
            Operation::Rotate(old, new, expires_at) => {
                let successor = self.record(new, expires_at)?;
                let rotation = self.driver.rotate(&old, successor).await?;
                assert_eq!(rotation, Rotation::Rotated);
                self.forget(old);
                self.tokens.push((new, 1));
            }
            Operation::DeleteTokens => {
                let revoked = self.driver.delete_tokens(&self.filter).await?;
                assert_eq!(revoked.len(), self.tokens.len());
                self.tokens.clear();
            }
            Operation::FlushExpired => {
                let limit = NonZeroU32::new(300).unwrap_or(NonZeroU32::MIN);
                self.driver.flush_expired(limit).await?;
            }
        }
        Ok(())
    }

    fn record(&mut self, id: TokenId, expires_at: Timestamp) -> Result<TokenRecord> {
        let audit = format!("audit-{}-{}", self.number, self.created);
        let record = TokenRecord::new(id, &audit, &user(self.number), now(self.round), expires_at)?;
        let record = record.with_tenant("shared")?.with_data(self.data());
        if self.random.below(4) == 1 {
            return record.with_trust(&format!("trust-{}", self.number));
        }
        Ok(record)
    }

    /// Mostly short, now and then long, so that sled's buffers, segments and blobs all have a part.
    fn data(&mut self) -> Vec<u8> {
        let len = match self.random.below(20) {
            1 => self.random.below(60_000),
            _ => self.random.below(600),
        };
        vec![b'd'; usize::try_from(len).unwrap_or(0)]
    }

    /// Half of the tokens are over by the next round or the one after it.
    fn expiry(&mut self) -> Timestamp {
        let rounds = match self.random.below(4) {
            1 => 1,
            2 => 2,
            _ => 1_000,
        };
        now(self.round).saturating_add(Duration::from_secs(60 * rounds - 1))
    }

    fn new_id(&mut self) -> TokenId {
        self.created += 1;
        let mut bytes = [0; TokenId::LEN];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.random.below(u64::MAX).to_be_bytes());
        }
        TokenId::from_bytes(bytes)
    }

    fn pick(&mut self) -> usize {
        let index = self.random.below(self.tokens.len() as u64) - 1;
        usize::try_from(index).unwrap_or(0)
    }

    fn forget(&mut self, id: TokenId) {
        self.tokens.retain(|(known, _)| *known != id);
    }
}

/// One write a line, so that a kill cuts off the last line at most.
fn say(said: Said) {
    let line = format!("{said}\n");
    // The parent reads to the end; without it there is nobody to tell.
    let _ = io::stdout().write_all(line.as_bytes());
}
