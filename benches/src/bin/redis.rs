//! The Redis driver beside raw redis-rs: the same commands, servers and durability, in one run.
//!
//! The servers are made for the run. Both sides share a tokio runtime with as many workers as there are
//! cores, on the machine that the servers run on. Ours and raw take turns; a ratio is one of medians over
//! the rounds.

use std::error::Error;

use clap::{Parser, ValueEnum};
use tokenkeep_benches::{bulk_calls, flush_beside_load, tell_beside, tell_bulk, tell_compared};
use tokenkeep_core::Durability;

#[path = "redis/measure.rs"]
mod measure;
#[path = "redis/stores.rs"]
mod stores;

use stores::Stores;

/// Compares the Redis driver with raw redis-rs.
#[derive(Debug, Parser)]
struct Arguments {
    /// The servers.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "standalone,cluster,cluster-of-one"
    )]
    servers: Vec<Servers>,
    /// Whether they flush their log before they answer, or keep none.
    #[arg(long, value_delimiter = ',', default_value = "sync,relaxed")]
    durability: Vec<Kept>,
    /// The size of the stores, in tokens.
    #[arg(long, default_value_t = 100_000)]
    tokens: usize,
    /// How many expired tokens are flushed beside readers and writers.
    #[arg(long, default_value_t = 200_000)]
    expired: usize,
    /// How often ours and raw take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Servers {
    Standalone,
    /// A Cluster of three masters.
    Cluster,
    /// A Cluster of one, to be compared with that of three.
    ClusterOfOne,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kept {
    Sync,
    Relaxed,
}

impl From<Kept> for Durability {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Sync => Self::Sync,
            Kept::Relaxed => Self::Relaxed,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    for servers in &arguments.servers {
        for kept in &arguments.durability {
            let (durability, tokens) = ((*kept).into(), arguments.tokens);
            let stores = match servers {
                Servers::Standalone => Stores::standalone(durability, tokens).await?,
                Servers::Cluster => Stores::cluster(3, durability, tokens).await?,
                Servers::ClusterOfOne => Stores::cluster(1, durability, tokens).await?,
            };
            measured(stores, &arguments).await?;
        }
    }
    Ok(())
}

async fn measured(
    mut stores: Stores,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("\n## {}", stores.name);
    let [ours, raw] = stores.bytes_per_token;
    println!("\nA token takes {ours:.0} bytes of the server's memory; the raw client's {raw:.0}.");
    let mut cells = measure::gets(&stores, arguments.rounds).await?;
    cells.extend(measure::writes(&mut stores, arguments.rounds).await?);
    tell_compared("ours", "raw redis-rs", &cells);
    tell_bulk(&bulk_calls(&mut stores.store).await?);
    if arguments.expired > 0 {
        tell_beside(&flush_beside_load(&mut stores.store, arguments.expired).await?);
    }
    Ok(())
}
