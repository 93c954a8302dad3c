//! The SQL driver beside raw sqlx: the same tables, server and durability, in one run.
//!
//! Each database runs on a server, or in a file, of its own, made for the run. Ours and raw take
//! turns; a ratio is one of medians over the rounds.

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tokenkeep_benches::{bulk_calls, flush_beside_load, tell_beside, tell_bulk, tell_compared};

#[path = "sql/measure.rs"]
mod measure;
#[path = "sql/stores.rs"]
mod stores;

use stores::Stores;

/// Compares the SQL driver with raw sqlx.
#[derive(Debug, Parser)]
struct Arguments {
    /// The databases.
    #[arg(long, value_delimiter = ',', default_value = "postgres,mysql,sqlite")]
    databases: Vec<Database>,
    /// The size of the stores, in tokens.
    #[arg(long, default_value_t = 100_000)]
    tokens: usize,
    /// How many expired tokens are flushed beside readers and writers.
    #[arg(long, default_value_t = 200_000)]
    expired: usize,
    /// How often ours and raw take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the SQLite files are made; servers keep theirs in the folder for temporary files.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Database {
    Postgres,
    /// MySQL or MariaDB, whichever is installed.
    Mysql,
    Sqlite,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    for database in &arguments.databases {
        let stores = match database {
            Database::Postgres => Stores::postgres(arguments.tokens).await?,
            Database::Mysql => Stores::mysql(arguments.tokens).await?,
            Database::Sqlite => Stores::sqlite(&arguments.folder, arguments.tokens).await?,
        };
        measured(stores, &arguments).await?;
    }
    Ok(())
}

async fn measured(
    mut stores: Stores,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("\n## {}", stores.name);
    let mut cells = measure::gets(&stores, arguments.rounds).await?;
    cells.extend(measure::creates(&mut stores, arguments.rounds).await?);
    tell_compared("ours", "raw sqlx", &cells);
    tell_bulk(&bulk_calls(&mut stores.store).await?);
    if arguments.expired > 0 {
        tell_beside(&flush_beside_load(&mut stores.store, arguments.expired).await?);
    }
    Ok(())
}
