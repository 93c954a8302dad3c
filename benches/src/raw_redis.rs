//! redis-rs by itself, on keys like the driver's: the least work that could be right.
//!
//! The server's expiry is all that a token has, and nothing is decoded. Its indexes live as long as their longest
//! member, as ours do, or for ever where that is asked for.

mod connection;
mod token;

use redis::{Cmd, Pipeline, Value, cmd};
use tokenkeep_core::{Clock, Timestamp, TokenId, TokenRecord};

pub use connection::RawConnection;
use token::Shard;

use crate::RawResult;

const CREATE: &str = include_str!("raw_redis/create.lua");
const REVOKE: &str = include_str!("raw_redis/revoke.lua");

/// How long the raw client's indexes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexesLive {
    /// As long as their longest member, as the driver's do.
    AsLongAsNeeded,
    /// For ever: less work, and each index outlives its tokens.
    ForEver,
}

/// The least work that could be right, on one server or a Cluster.
#[derive(Debug)]
pub struct RawRedis {
    connection: RawConnection,
    shards: Box<[Shard]>,
    place: String,
    create: String,
    revoke: String,
    now: Timestamp,
}

impl RawRedis {
    /// On keys that begin with this, divided into so many parts of a hash slot each.
    ///
    /// # Errors
    ///
    /// What the servers answer.
    pub async fn open(
        connection: RawConnection,
        namespace: &str,
        shards: u32,
        clock: &dyn Clock,
    ) -> RawResult<Self> {
        let load = async |body: &str| -> RawResult<String> {
            let mut command = cmd("SCRIPT");
            let answer = connection.call(command.arg("LOAD").arg(body)).await?;
            Ok(redis::from_redis_value(answer)?)
        };
        let (create, revoke) = (load(CREATE).await?, load(REVOKE).await?);
        Ok(Self {
            connection,
            shards: Shard::all(namespace, shards),
            place: format!("{namespace}:place"),
            create,
            revoke,
            now: clock.now(),
        })
    }

    /// Reads a token; gives the length of what is stored, if it is there.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn get(&self, id: &TokenId) -> RawResult<Option<usize>> {
        let mut command = Cmd::new();
        command.arg("GET").arg(self.shard(id).token(id));
        match self.connection.call(&command).await? {
            Value::BulkString(value) => Ok(Some(value.len())),
            _ => Ok(None),
        }
    }

    /// Stores a token and its entries in one script, unless the id is taken; tells whether it did.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn create(&self, record: &TokenRecord, indexes_live: IndexesLive) -> RawResult<bool> {
        let lifetime = match indexes_live {
            IndexesLive::AsLongAsNeeded => (self.ttl(record) * 9 / 8 + 60_000).to_string(),
            IndexesLive::ForEver => String::new(),
        };
        let shard = self.shard(&record.id);
        let indexes = shard.indexes(record);
        let mut command = Cmd::new();
        command
            .arg("EVALSHA")
            .arg(&self.create)
            .arg(2 + indexes.len())
            .arg(shard.token(&record.id))
            .arg(shard.expiry())
            .arg(indexes)
            .arg(token::value(record))
            .arg(self.ttl(record))
            .arg(token::expiry_entry(record))
            .arg(record.id.as_bytes().as_slice())
            .arg(lifetime);
        Ok(self.connection.call(&command).await? == Value::Int(1))
    }

    /// Stores tokens fast, each command by itself.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn fill(&self, records: &[TokenRecord]) -> RawResult<()> {
        // A Cluster takes a pipeline for one slot only.
        let mut parts: Vec<Pipeline> = self.shards.iter().map(|_| redis::pipe()).collect();
        for record in records {
            self.add(&mut parts[self.part(&record.id)], record);
        }
        for part in parts.iter().filter(|part| !part.is_empty()) {
            self.connection.call_all(part, 0, part.len()).await?;
        }
        Ok(())
    }

    /// Revokes a token in one script; tells whether it was there. Where the store has several parts, the
    /// order of revocation is taken from what they share before.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn revoke(&self, id: &TokenId) -> RawResult<bool> {
        let place = self.place().await?;
        let shard = self.shard(id);
        let mut command = Cmd::new();
        command
            .arg("EVALSHA")
            .arg(&self.revoke)
            .arg(1)
            .arg(shard.token(id))
            .arg(shard.prefix())
            .arg(id.as_bytes().as_slice())
            .arg(place);
        Ok(self.connection.call(&command).await? == Value::Int(1))
    }

    async fn place(&self) -> RawResult<Option<i64>> {
        if self.shards.len() == 1 {
            return Ok(None);
        }
        let mut command = Cmd::new();
        command.arg("INCR").arg(&self.place);
        let answer = self.connection.call(&command).await?;
        Ok(Some(redis::from_redis_value(answer)?))
    }

    fn add(&self, commands: &mut Pipeline, record: &TokenRecord) {
        let shard = self.shard(&record.id);
        commands
            .cmd("SET")
            .arg(shard.token(&record.id))
            .arg(token::value(record))
            .arg("PX")
            .arg(self.ttl(record));
        commands
            .cmd("ZADD")
            .arg(shard.expiry())
            .arg(0)
            .arg(token::expiry_entry(record));
        for index in shard.indexes(record) {
            let id = record.id.as_bytes().as_slice();
            commands.cmd("ZADD").arg(index).arg(0).arg(id);
        }
    }

    fn ttl(&self, record: &TokenRecord) -> i64 {
        (record.expires_at.as_micros() - self.now.as_micros()) / 1_000
    }

    fn part(&self, id: &TokenId) -> usize {
        usize::from(id.as_bytes()[0]) * self.shards.len() / 256
    }

    fn shard(&self, id: &TokenId) -> &Shard {
        &self.shards[self.part(id)]
    }
}
