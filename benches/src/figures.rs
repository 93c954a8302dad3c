//! Medians, ratios and tables.

use std::time::Duration;

/// What one closed loop took.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Calls a second, over all callers.
    pub rate: f64,
    /// The median time of a call.
    pub p50: Duration,
    /// The time that 99 of 100 calls stayed below.
    pub p99: Duration,
}

impl Cell {
    /// Sums up a loop: how long it took in all, and how long each call took.
    #[must_use]
    pub fn new(elapsed: Duration, mut calls: Vec<Duration>) -> Self {
        calls.sort_unstable();
        let at = |share: f64| {
            let place = (calls.len() as f64 * share) as usize;
            calls
                .get(place.min(calls.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };
        Self {
            rate: calls.len() as f64 / elapsed.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

/// The middle one of some figures; 0 of none.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// How many times the rate of `raw` that of `ours` is, by the medians of the rounds.
#[must_use]
pub fn ratio(ours: &[Cell], raw: &[Cell]) -> f64 {
    let rate = |cells: &[Cell]| median(cells.iter().map(|cell| cell.rate));
    rate(ours) / rate(raw)
}

/// Prints a table as Markdown, ready for a document.
pub fn table(title: &str, header: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}\n\n| {} |", header.join(" | "));
    println!("|{}", "---|".repeat(header.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}
