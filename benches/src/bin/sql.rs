//! The SQL driver beside raw sqlx: the same tables, server and durability, in one run.
//!
//! Each database runs on a server, or in a file, of its own, made for the run. Ours and raw take
//! turns; a ratio is one of medians over the rounds.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tokenkeep_benches::{Cell, median, table};

#[path = "sql/bulk.rs"]
mod bulk;
#[path = "sql/measure.rs"]
mod measure;
#[path = "sql/stores.rs"]
mod stores;

use bulk::{Beside, Bulk};
use measure::Compared;
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
async fn main() -> Result<(), Box<dyn Error>> {
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

async fn measured(mut stores: Stores, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    println!("\n## {}", stores.name);
    let mut cells = measure::gets(&stores, arguments.rounds).await?;
    cells.extend(measure::creates(&mut stores, arguments.rounds).await?);
    tell_cells(&cells);
    tell_bulk(&bulk::calls(&mut stores).await?);
    if arguments.expired > 0 {
        tell_beside(&bulk::flush_beside_load(&mut stores, arguments.expired).await?);
    }
    Ok(())
}

fn tell_cells(cells: &[Compared]) {
    let rows: Vec<_> = cells
        .iter()
        .map(|cell| {
            vec![
                cell.operation.to_owned(),
                cell.callers.to_string(),
                shown(&cell.ours),
                shown(&cell.raw),
                format!("{:.2}", cell.ratio()),
            ]
        })
        .collect();
    let header = ["operation", "callers", "ours", "raw sqlx", "ours/raw"];
    table(
        "Rates, with the median and the 99th percentile of a call",
        &header,
        &rows,
    );
}

fn shown(cells: &[Cell]) -> String {
    let micros =
        |of: fn(&Cell) -> Duration| median(cells.iter().map(|c| of(c).as_secs_f64() * 1e6));
    format!(
        "{:.0}/s · {:.0}/{:.0} us",
        median(cells.iter().map(|cell| cell.rate)),
        micros(|cell| cell.p50),
        micros(|cell| cell.p99)
    )
}

fn tell_bulk(calls: &[Bulk]) {
    let rows: Vec<_> = calls
        .iter()
        .map(|call| {
            let millis = call.took.as_secs_f64() * 1e3;
            vec![
                call.operation.to_owned(),
                call.touched.to_string(),
                format!("{millis:.1}"),
                format!("{:.1}", millis * 1e3 / call.touched as f64),
            ]
        })
        .collect();
    let header = ["operation", "tokens", "ms", "us/token"];
    table("Calls that touch many tokens", &header, &rows);
}

fn tell_beside(beside: &Beside) {
    let seconds = beside.took.as_secs_f64();
    let row = |what: &str, cell: &Cell| {
        vec![
            what.to_owned(),
            format!("{:.0}", cell.rate),
            format!("{:.0}", cell.p50.as_secs_f64() * 1e6),
            format!("{:.0}", cell.p99.as_secs_f64() * 1e6),
        ]
    };
    let title = format!(
        "A flush of {} expired tokens beside 16 readers and 4 writers took {seconds:.1} s ({:.0} us a \
         token); {} creates ended meanwhile. Reads' p99 is {:.2} times that without a flush.",
        beside.expired,
        seconds * 1e6 / beside.expired as f64,
        beside.written,
        beside.with.p99.as_secs_f64() / beside.without.p99.as_secs_f64(),
    );
    let header = ["reads", "a second", "p50, us", "p99, us"];
    let rows = [
        row("without a flush", &beside.without),
        row("beside it", &beside.with),
    ];
    table(&title, &header, &rows);
}
