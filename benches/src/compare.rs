//! Single calls, ours and the raw client's in turns.

use std::time::Duration;

use crate::{Cell, median, ratio, table};

/// One operation at one number of callers.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What was called.
    pub operation: &'static str,
    /// How many callers there were.
    pub callers: usize,
    /// Our turns.
    pub ours: Vec<Cell>,
    /// The raw client's.
    pub raw: Vec<Cell>,
}

impl Compared {
    /// Our rate as a multiple of the raw one.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        ratio(&self.ours, &self.raw)
    }

    /// The smallest and the largest ratio of two turns that followed each other.
    fn spread(&self) -> (f64, f64) {
        let ratios = self.ours.iter().zip(&self.raw);
        let ratios = ratios.map(|(ours, raw)| ours.rate / raw.rate);
        ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| {
            (least.min(ratio), most.max(ratio))
        })
    }
}

/// Prints what was compared.
pub fn tell_compared(ours: &str, raw: &str, cells: &[Compared]) {
    let rows: Vec<_> = cells
        .iter()
        .map(|cell| {
            let (least, most) = cell.spread();
            vec![
                cell.operation.to_owned(),
                cell.callers.to_string(),
                shown(&cell.ours),
                shown(&cell.raw),
                format!("{:.2} ({least:.2} to {most:.2})", cell.ratio()),
            ]
        })
        .collect();
    let ratio = format!("{ours}/{raw} (of single turns)");
    let header = ["operation", "callers", ours, raw, &ratio];
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
