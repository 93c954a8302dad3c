//! The sled driver beside raw sled: the same writes on the same layout, in one run.
//!
//! Each size runs in a process of its own, so that memory can be told. Ours and raw take turns; a
//! ratio is one of medians over the rounds.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tokenkeep_benches::table;

#[path = "sled/measure.rs"]
mod measure;

/// Compares the sled driver with raw sled.
#[derive(Debug, Parser)]
struct Arguments {
    /// The sizes of the store, in tokens.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,300000")]
    tokens: Vec<usize>,
    /// How often ours and raw take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the stores are made; the disk of this folder is what is measured.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Measures one size in this process and answers in JSON.
    #[arg(long, hide = true)]
    child: bool,
}

/// What was measured at one size.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    tokens: usize,
    load_us_per_token: f64,
    memory_bytes_per_token: f64,
    disk_bytes_per_token: f64,
    reopen_ms: f64,
    cells: Vec<Compared>,
    bulk: Vec<Bulk>,
}

/// One operation at one number of callers.
#[derive(Debug, Serialize, Deserialize)]
struct Compared {
    operation: String,
    callers: usize,
    ours: Figures,
    raw: Figures,
    ratio: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    rate: f64,
    p50_us: f64,
    p99_us: f64,
}

/// One bulk operation.
#[derive(Debug, Serialize, Deserialize)]
struct Bulk {
    operation: String,
    ours_ms: f64,
    raw_ms: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.child {
        for tokens in arguments.tokens {
            let measured = measure::size(&arguments.folder, tokens, arguments.rounds)?;
            println!("{}", serde_json::to_string(&measured)?);
        }
        return Ok(());
    }
    let mut all = Vec::new();
    for tokens in &arguments.tokens {
        eprintln!("measuring {tokens} tokens");
        all.push(in_a_process_of_its_own(*tokens, &arguments)?);
    }
    tell(&all);
    Ok(())
}

fn in_a_process_of_its_own(
    tokens: usize,
    arguments: &Arguments,
) -> Result<Measured, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--child", "--tokens", &tokens.to_string()])
        .args(["--rounds", &arguments.rounds.to_string()])
        .arg("--folder")
        .arg(&arguments.folder)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "the measurement of {tokens} tokens ended with {}",
            output.status
        )
        .into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn tell(all: &[Measured]) {
    let shown = |figures: &Figures| {
        format!(
            "{:.0}/s · {:.0}/{:.0} us",
            figures.rate, figures.p50_us, figures.p99_us
        )
    };
    let rows: Vec<_> = all
        .iter()
        .flat_map(|size| size.cells.iter().map(move |cell| (size.tokens, cell)))
        .map(|(tokens, cell)| {
            let Compared {
                operation,
                callers,
                ours,
                raw,
                ratio,
            } = cell;
            vec![
                tokens.to_string(),
                operation.clone(),
                callers.to_string(),
                shown(ours),
                shown(raw),
                format!("{ratio:.2}"),
            ]
        })
        .collect();
    let header = ["tokens", "operation", "callers", "ours", "raw", "ours/raw"];
    table(
        "Rates, with the median and the 99th percentile of a call",
        &header,
        &rows,
    );

    let first = all.first();
    let growth = |bulk: &Bulk, of: fn(&Bulk) -> f64| {
        let base = first.and_then(|size| size.bulk.iter().find(|b| b.operation == bulk.operation));
        base.map_or(1.0, |base| of(bulk) / of(base))
    };
    let rows: Vec<_> = all
        .iter()
        .flat_map(|size| size.bulk.iter().map(move |bulk| (size.tokens, bulk)))
        .map(|(tokens, bulk)| {
            vec![
                tokens.to_string(),
                bulk.operation.clone(),
                format!("{:.1}", bulk.ours_ms),
                format!("{:.1}", bulk.raw_ms),
                format!("{:.2}", growth(bulk, |bulk| bulk.ours_ms)),
                format!("{:.2}", growth(bulk, |bulk| bulk.raw_ms)),
            ]
        })
        .collect();
    let header = [
        "tokens",
        "operation",
        "ours, ms",
        "raw, ms",
        "ours, times the first size",
        "raw, times",
    ];
    table("Bulk operations", &header, &rows);

    let rows: Vec<_> = all
        .iter()
        .map(|size| {
            vec![
                size.tokens.to_string(),
                format!("{:.0}", size.load_us_per_token),
                format!("{:.0}", size.memory_bytes_per_token),
                format!("{:.0}", size.disk_bytes_per_token),
                format!("{:.0}", size.reopen_ms),
            ]
        })
        .collect();
    let header = [
        "tokens",
        "load, us/token",
        "memory, B/token",
        "disk, B/token",
        "reopen, ms",
    ];
    table("What a token takes", &header, &rows);
}
